// Finds, and only if need be installs, a browser for the tests and the bench: one that an environment variable names,
// an installed one, one in puppeteer's cache; else puppeteer downloads one, else the system's package is installed.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const home = homedir();
const programFiles = [process.env.PROGRAMFILES, process.env["PROGRAMFILES(X86)"], process.env.LOCALAPPDATA].filter(Boolean);
const onWindows = (...path) => programFiles.map((folder) => join(folder, ...path));
const onMac = (app, program) =>
  ["/Applications", join(home, "Applications")].map((folder) => `${folder}/${app}.app/Contents/MacOS/${program}`);

const kinds = {
  chromium: {
    variables: ["CHROME_PATH", "CHROME_BIN", "PUPPETEER_EXECUTABLE_PATH"],
    commands: [
      "chromium",
      "chromium-browser",
      "google-chrome-stable",
      "google-chrome",
      "chrome",
      "microsoft-edge-stable",
      "microsoft-edge",
      "msedge",
    ],
    paths: {
      linux: ["/usr/bin/chromium", "/opt/google/chrome/chrome", "/snap/bin/chromium", "/opt/microsoft/msedge/msedge"],
      darwin: [...onMac("Google Chrome", "Google Chrome"), ...onMac("Chromium", "Chromium"), ...onMac("Microsoft Edge", "Microsoft Edge")],
      win32: [
        ...onWindows("Google", "Chrome", "Application", "chrome.exe"),
        ...onWindows("Chromium", "Application", "chrome.exe"),
        ...onWindows("Microsoft", "Edge", "Application", "msedge.exe"),
      ],
    },
    /** The browsers that puppeteer's cache may contain; it downloads the first. */
    downloads: ["chrome", "chromium", "chrome-headless-shell"],
    packages: ["chromium"],
  },
  firefox: {
    variables: ["FIREFOX_PATH", "FIREFOX_BIN"],
    commands: ["firefox", "firefox-esr"],
    paths: {
      linux: ["/usr/bin/firefox-esr", "/usr/lib/firefox/firefox", "/snap/bin/firefox"],
      darwin: onMac("Firefox", "firefox"),
      win32: onWindows("Mozilla Firefox", "firefox.exe"),
    },
    downloads: ["firefox"],
    packages: ["firefox-esr", "mesa-vulkan-drivers", "libvulkan1"],
  },
};

/** The program file that an environment variable names, or null. A file that is not there is the caller's mistake. */
function namedBrowser(kind) {
  const variable = kinds[kind].variables.find((name) => process.env[name]);
  if (variable === undefined) return null;
  const path = process.env[variable];
  if (!existsSync(path)) throw new Error(`${variable} names ${path}, which does not exist`);
  return path;
}

function installedBrowser(kind) {
  const { commands, paths } = kinds[kind];
  const suffix = process.platform === "win32" ? ".exe" : "";
  const searched = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  const found = commands.flatMap((command) => searched.map((folder) => join(folder, command + suffix)));
  return [...found, ...(paths[process.platform] ?? [])].find((path) => existsSync(path)) ?? null;
}

/** Puppeteer's folder for browsers, and its tools for them. Loaded only here, because that takes long. */
async function puppeteerCache() {
  const [{ default: puppeteer }, tools] = await Promise.all([import("puppeteer"), import("@puppeteer/browsers")]);
  return { cacheDir: puppeteer.configuration.cacheDirectory, tools };
}

/** A browser in puppeteer's cache, of any version, or null. */
export async function cachedBrowser(kind) {
  const { cacheDir, tools } = await puppeteerCache();
  const present = await tools.getInstalledBrowsers({ cacheDir }).catch(() => []);
  const found = kinds[kind].downloads.flatMap((wanted) => present.filter(({ browser }) => browser === wanted));
  return found.map(({ executablePath }) => executablePath).find((path) => existsSync(path)) ?? null;
}

/** A browser that is there without installing anything, or null. */
export async function presentBrowser(kind) {
  return namedBrowser(kind) ?? installedBrowser(kind) ?? cachedBrowser(kind);
}

async function downloadedBrowser(kind) {
  const { cacheDir, tools } = await puppeteerCache();
  const [browser] = kinds[kind].downloads;
  const platform = tools.detectBrowserPlatform();
  if (platform === undefined) throw new Error("no download for this system");
  console.log(`no ${kind} found; downloading one into ${cacheDir} …`);
  const buildId = await tools.resolveBuildId(browser, platform, "stable");
  const { executablePath } = await tools.install({ browser, buildId, cacheDir });
  return executablePath;
}

let installing = Promise.resolve();

/** Installs Debian or Ubuntu packages, after those asked for before; throws where that is not possible without asking for a password. */
export function aptInstall(packages) {
  const installed = installing.then(() => aptGet(packages));
  installing = installed.catch(() => undefined);
  return installed;
}

async function aptGet(packages) {
  if (process.platform !== "linux" || !existsSync("/usr/bin/apt-get")) throw new Error("no apt-get on this system");
  const prefix = process.getuid() === 0 ? [] : ["sudo", "-n"];
  const apt = async (...args) => {
    const [command, ...rest] = [...prefix, "apt-get", ...args];
    await run(command, rest, { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, maxBuffer: 1 << 26 });
  };
  console.log(`installing ${packages.join(" ")} with apt-get …`);
  await apt("update");
  await apt("install", "-y", "--no-install-recommends", ...packages);
}

async function packagedBrowser(kind) {
  const { packages } = kinds[kind];
  await aptInstall(packages);
  const path = installedBrowser(kind);
  if (path === null) throw new Error(`no ${kind} found after installing ${packages.join(" ")}`);
  return path;
}

export class NoBrowserError extends Error {}

const sources = [
  ["installed", async (kind) => installedBrowser(kind)],
  ["in puppeteer's cache", cachedBrowser],
  ["downloaded", downloadedBrowser],
  ["packaged", packagedBrowser],
];

/**
 * Calls `use(path)` with one browser after the other, each installed only when it is its turn, until a call
 * succeeds. Throws a NoBrowserError with every reason where none does. Where an environment variable names a browser,
 * no other is tried, and its error is the caller's.
 */
export async function withBrowser(kind, use) {
  const named = namedBrowser(kind);
  if (named !== null) return use(named);
  const reasons = [];
  for (const [source, find] of sources) {
    try {
      const path = await find(kind);
      if (path === null) throw new Error("none found");
      return await use(path);
    } catch (error) {
      reasons.push(`${source}: ${String(error.message ?? error).split("\n")[0]}`);
    }
  }
  throw new NoBrowserError(`no ${kind} can be used (${reasons.join("; ")})`);
}

/** Starts a headless browser. Its answers may take as long as they take: a busy machine is none that hangs. */
export async function launchBrowser(kind, options = {}) {
  const { default: puppeteer } = await import("puppeteer");
  return withBrowser(kind, (executablePath) =>
    puppeteer.launch({ executablePath, headless: true, protocolTimeout: 0, ...launchOptions(kind, options) }),
  );
}

/**
 * `software`: let Chromium use its own software adapter, which is off by default. `microphone`: pages get a microphone
 * that plays this WAV file (in Firefox a tone), and may play sound, without asking anybody.
 */
function launchOptions(kind, { software = false, microphone = undefined } = {}) {
  if (kind === "firefox") {
    return {
      browser: "firefox",
      extraPrefsFirefox: {
        "dom.webgpu.enabled": true,
        "dom.webgpu.workers.enabled": true,
        // Without a hardware GPU the blocklist would hide Mesa's software Vulkan driver.
        "gfx.webgpu.ignore-blocklist": true,
        ...(microphone && {
          "media.navigator.streams.fake": true,
          "media.navigator.permission.disabled": true,
          "media.autoplay.default": 0,
        }),
      },
    };
  }
  return {
    browser: "chrome",
    args: [
      "--enable-unsafe-webgpu",
      // Without this flag, SwiftShader takes ten times as long to compile kernels with much workgroup memory.
      ...(software
        ? ["--use-webgpu-adapter=swiftshader", "--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension"]
        : []),
      ...(microphone
        ? [
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            "--autoplay-policy=no-user-gesture-required",
            `--use-file-for-fake-audio-capture=${microphone}`,
          ]
        : []),
      ...(process.platform === "linux" ? ["--enable-features=Vulkan"] : []),
      // Chromium's sandbox cannot be set up by root, nor in most containers that run CI.
      ...(process.getuid?.() === 0 || process.env.CI ? ["--no-sandbox"] : []),
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--no-first-run"],
    ],
  };
}
