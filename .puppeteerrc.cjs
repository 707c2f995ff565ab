// Any Chrome, Chromium or Edge that is installed will do (scripts/browsers.mjs finds it), so `npm ci` downloads none.
// `PUPPETEER_SKIP_DOWNLOAD=false npm ci` or `npx puppeteer browsers install chrome` does; it is found in puppeteer's cache.
module.exports = { skipDownload: true };
