// The console in Chromium: sign in with a second factor, walk every page of the navigation and those on policy behind it,
// in light and dark, wide and narrow. Fails on an error in a page, on a request to anywhere else, and on a page without a heading. Leaves a
// picture of each.
//
// Usage: node console.mjs DEMO.json FOLDER-WITH-NODE_MODULES PICTURES

import { createHmac } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [infoFile, folder, pictures] = process.argv.slice(2);
const require = createRequire(join(folder, "node_modules", "/"));
const { chromium } = require("playwright-core");
const info = JSON.parse(readFileSync(infoFile, "utf8"));
const origin = new URL(info.control_url).origin;
const user = info.users.find((each) => each.holds.includes("govern")) ?? info.users[0];

let passed = 0;
let failed = 0;
function expect(name, held, told = "") {
  console.log(`  ${held ? "ok  " : "FAIL"} ${name}${held || !told ? "" : `: ${told}`}`);
  if (held) passed += 1;
  else failed += 1;
}

/** RFC 4648 base 32. */
function unbase32(text) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...text.toUpperCase().replace(/=+$/, "")]
    .map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, "0"))
    .join("");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

/** RFC 6238 with SHA-1, six digits, thirty seconds. */
function oneTimeCode(secret, seconds) {
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(seconds / 30)));
  const digest = createHmac("sha1", unbase32(secret)).update(step).digest();
  const number = digest.readUInt32BE(digest[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  // Chromium's own sandbox does not work as root; every page here is ours.
  chromiumSandbox: process.getuid() !== 0,
});

async function contextOf(width, height, colorScheme, state) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme,
    storageState: state,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const target = new URL(request.url());
    if (target.protocol.startsWith("http") && target.origin !== origin) problems.push(`asked ${target.origin}`);
  });
  return { context, page, problems };
}

/** Once it has come to rest; a live feed never does. */
async function settle(page) {
  await page.waitForLoadState("load");
  await page.waitForLoadState("networkidle", { timeout: 2000 }).catch(() => {});
}

async function picture(page, name) {
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`) });
}

const { context, page, problems } = await contextOf(1280, 800, "light");
const opened = await page.goto(info.control_url);
await settle(page);
const policy = opened.headers()["content-security-policy"] ?? "";
expect("a strict content security policy is sent", /default-src '(self|none)'/.test(policy), policy);
expect("no script or style may stand in a page", !policy.includes("unsafe-inline"), policy);
expect("a stranger is asked to sign in", (await page.locator("input[type=password]").count()) === 1, page.url());
await picture(page, "sign-in");

for (let attempt = 0; attempt < 3 && (await page.locator("input[type=password]").count()) > 0; attempt += 1) {
  if (attempt > 0) await sleep((31 - ((Date.now() / 1000) % 30)) * 1000);
  await page.fill("input[name=name]", user.name);
  await page.fill("input[name=password]", user.password);
  const code = page.locator("input[name=totp]");
  if ((await code.count()) > 0) await code.fill(oneTimeCode(user.totp_secret, Date.now() / 1000 + 30));
  await page.locator("input[type=password]").press("Enter");
  await settle(page);
  // Where the second factor has a page of its own.
  if ((await page.locator("input[type=password]").count()) === 0 && (await code.count()) > 0) {
    await code.fill(oneTimeCode(user.totp_secret, Date.now() / 1000 + 30));
    await code.press("Enter");
    await settle(page);
  }
}
// A code that counted already was refused, which the browser reports.
const refusals = problems.filter((problem) => problem.includes("status of 401"));
problems.splice(0, problems.length, ...problems.filter((problem) => !refusals.includes(problem)));
expect("a person signs in with password and code", (await page.locator("nav a[href]").count()) > 0, page.url());
const cookies = await context.cookies();
expect(
  "the session is kept from scripts",
  cookies.length > 0 && cookies.every((cookie) => cookie.httpOnly && cookie.sameSite !== "None"),
  cookies.map((cookie) => cookie.name).join(" "),
);

const links = await page.$$eval("nav a[href]", (all) => all.map((link) => [link.href, link.textContent.trim()]));
const seen = new Map(links.filter(([href]) => new URL(href).origin === origin && !href.includes("sign-out")));
// Pages that are reached from others: a bundle, one of its policies, a replay under it, two bundles beside each other, and
// a policy from a decision that it settled.
const first = async (from, query) => {
  await page.goto(from);
  await settle(page);
  const found = await page.$$eval(query, (all) => all.map((link) => link.href));
  expect(`${new URL(from).pathname} leads to ${query}`, found.length > 0);
  return found[0];
};
const bundle = await first(new URL("/policy", origin).href, "main dl a[href^='/policy/sha256:']");
const single = await first(bundle, "a[href*='/policies/']");
const decision = await first(new URL("/decisions?own_account=true", origin).href, "tbody a[href^='/decisions/']");
const settling = await first(decision, "a[href*='/policies/']");
seen.set(bundle, "Bundle");
seen.set(single, "Single policy");
seen.set(settling, "Settling policy");
seen.set(`${bundle}/replay`, "Replay form");
seen.set(`${bundle}/replay?last=1000`, "Replay");
seen.set(new URL("/policy/difference", origin).href, "Difference");
seen.set(new URL("/policy/handbook", origin).href, "Handbook");
for (const path of ["sessions", "issuers", "provisioning", "gateways", "signals"]) {
  seen.set(new URL(`/${path}`, origin).href, `${path[0].toUpperCase()}${path.slice(1)}`);
}
const names = new Map([
  [bundle, "bundle"],
  [single, "single-policy"],
  [settling, "settling-policy"],
  [`${bundle}/replay`, "replay-form"],
  [`${bundle}/replay?last=1000`, "replay"],
]);

await page.goto(`${bundle}/replay`);
await page.fill("input[name=last]", "1000");
await page.locator("form[data-run] button").click();
await page.waitForURL(/last=1000/);
await page.locator("[data-result] .figures").waitFor();
expect("a replay tells how many decisions were made again", /Made again/.test(await page.textContent("main")));
await page.goto(new URL("/policy/difference", origin).href);
const ends = await page.$$eval("main select", (all) => all.map((one) => one.options.length));
expect("any two bundles can be chosen", ends.length === 2 && ends[0] === ends[1] && ends[0] >= 1, ends.join(" and "));

const state = await context.storageState();
const looks = [
  ["", 1280, 800, "light"],
  ["-dark", 1280, 800, "dark"],
  ["-narrow", 390, 844, "light"],
];
for (const [suffix, width, height, scheme] of looks) {
  const look = await contextOf(width, height, scheme, state);
  for (const [href, title] of seen) {
    const response = await look.page.goto(href);
    await settle(look.page);
    const name = `${title || new URL(href).pathname}${suffix}`;
    expect(`${name} is shown`, response.status() === 200, `${response.status()}`);
    expect(`${name} has one heading`, (await look.page.locator("h1").count()) === 1);
    const overflow = await look.page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(`${name} fits its width`, overflow <= 0, `${overflow} px too wide`);
    const file = names.get(href) ?? (new URL(href).pathname.split("/").filter(Boolean).join("-") || "home");
    await picture(look.page, `${file}${suffix}`);
  }
  problems.push(...look.problems);
  await look.context.close();
}
expect("no page had an error or asked anybody else", problems.length === 0, [...new Set(problems)].join("; "));

await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
