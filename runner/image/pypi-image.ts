/**
 * How PyPI packages get into images. Called by package-image.ts.
 *
 *     base image (base-image.ts) → pip or uv (pypi-install.ts) → program (pypi-entry.ts) → compiled
 *
 * @module
 */
import { ensurePythonImage } from "./base-image.ts";
import { APP, type PackageKind } from "./package-image.ts";
import { readPypiEntry } from "./pypi-entry.ts";
import { installPypi, machineOf, normalizedName } from "./pypi-install.ts";

// Without it each cold start would compile the package anew. It parses and does not run the code; what
// cannot be compiled, such as a template, is left as it is.
const COMPILE = "import compileall as c,py_compile as p;" +
  `c.compile_dir("${APP}",quiet=2,invalidation_mode=p.PycInvalidationMode.UNCHECKED_HASH)`;

/** Packages of the Python Package Index. */
export const pypiPackage: PackageKind = {
  scheme: "pypi",
  title: "PyPI package",
  revision: "1",
  async install(engine, { package: name, version }, directory, progress) {
    const base = await ensurePythonImage(engine, progress);
    const spec = version === undefined ? name : `${name}==${version}`;
    progress(`Installing PyPI package ${spec}`);
    const integrity = await installPypi({
      spec,
      name: normalizedName(name),
      directory,
      python: base.version,
      machine: machineOf(engine.arch),
    });
    const entry = await readPypiEntry(directory, name);
    return {
      version: entry.version,
      integrity,
      base: base.image,
      steps: [
        `ENV PYTHONPATH=${APP} PYTHONDONTWRITEBYTECODE=1 HOME=/tmp`,
        `RUN ${JSON.stringify([base.python, "-I", "-c", COMPILE])}`,
      ],
      entrypoint: [base.python, "-c", entry.program],
    };
  },
};
