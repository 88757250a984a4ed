import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const NAME = "localhost/node-stand-in:24";
/** What the Dockerfile's own commands need. */
const programs = ["sh", "env", "find", "chmod", "chown", "ln", "cat", "mkdir"];
/** Parts of glibc that pnpm wants beside those of Node. */
const libraries = ["librt.so.1", "libutil.so.1", "libresolv.so.2", "libnss_dns.so.2", "libnss_files.so.2"];

/**
 * An image that stands in for node:24-slim, of this machine's files: a shell, a few programs, the Node that runs this,
 * and npm. For builds where no registry can be reached; what is built on it is for trying, not for use.
 * @throws Error where npm is not found, or `podman` does.
 */
export async function makeNodeImage(podman: (words: readonly string[]) => Promise<string>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-node-"));
  const root = join(folder, "root");
  try {
    for (const name of ["tmp", "etc/ssl", "root", "proc", "dev", "sys", "usr/local/bin", "usr/local/lib/node_modules"])
      mkdirSync(join(root, name), { recursive: true });
    for (const program of programs) copyProgram(root, output("which", [program]), join("/usr/bin", program));
    symlinkSync("usr/bin", join(root, "bin"));
    copyProgram(root, process.execPath, "/usr/local/bin/node");
    const [, glibc = ""] = /=> (\S+)\/libc\.so/.exec(output("ldd", [process.execPath])) ?? [];
    for (const library of libraries) copy(realpathSync(join(glibc, library)), join(root, glibc, library));
    copyNpm(root);
    cpSync("/etc/ssl/certs", join(root, "etc/ssl/certs"), { recursive: true, dereference: true });
    for (const file of ["/etc/resolv.conf", "/etc/hosts"]) cpSync(realpathSync(file), join(root, file));
    writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
    execFileSync("tar", ["-C", root, "-cf", join(folder, "root.tar"), "."]);
    // Where a proxy stands before the registry, its authority is this machine's.
    const env = ["PATH=/usr/local/bin:/usr/bin:/bin", "NODE_USE_SYSTEM_CA=1"];
    await podman(["import", "--quiet", ...env.map((each) => `--change=ENV ${each}`), join(folder, "root.tar"), NAME]);
    return NAME;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const output = (program: string, args: readonly string[]): string => execFileSync(program, args).toString().trim();

/** With every library that it is linked to. */
function copyProgram(root: string, from: string, to: string): void {
  copy(realpathSync(from), join(root, to));
  for (const [library] of output("ldd", [from]).matchAll(/\/\S+/g)) copy(realpathSync(library), join(root, library));
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to);
}

function copyNpm(root: string): void {
  const npm = dirname(dirname(realpathSync(output("which", ["npm"]))));
  cpSync(npm, join(root, "usr/local/lib/node_modules/npm"), { recursive: true, dereference: true });
  for (const name of ["npm", "npx"])
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(root, "usr/local/bin", name));
}
