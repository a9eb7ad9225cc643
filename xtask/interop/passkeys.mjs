// Passkeys in Chromium, with the virtual authenticator of the DevTools protocol: enrolment with a passkey, sign-in with it,
// a second device, proving again who one is, removal, recovery codes, ending sessions; and what must not work. Leaves a
// picture of each page, in light, dark and narrow.
//
// Usage: node passkeys.mjs PROGRAM FOLDER-WITH-NODE_MODULES PICTURES

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [program, folder, pictures] = process.argv.slice(2);
const require = createRequire(join(folder, "node_modules", "/"));
const { chromium } = require("playwright-core");

let passed = 0;
let failed = 0;
function expect(name, held, told = "") {
  console.log(`  ${held ? "ok  " : "FAIL"} ${name}${held || !told ? "" : `: ${told}`}`);
  if (held) passed += 1;
  else failed += 1;
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const freePort = () =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

// --- The installation, at a host with a name ---

const place = mkdtempSync(join(tmpdir(), "modelward-passkeys-"));
const [controlPort, gatewayPort] = [await freePort(), await freePort()];
const control = `http://localhost:${controlPort}`;
const PASSWORD = "a long walk by the river";
const environment = { PATH: process.env.PATH, HOME: place, XDG_CONFIG_HOME: join(place, "config") };
mkdirSync(join(place, "config"), { recursive: true });
const data = join(place, "data");
const init = (args) => execFileSync(program, args, { env: environment, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
const code = init(["init", "dana", "--data-dir", data]);
const serving = spawn(program, ["serve", "--config", join(data, "modelward.toml")], {
  env: {
    ...environment,
    MODELWARD_CONTROL_LISTEN: `127.0.0.1:${controlPort}`,
    MODELWARD_CONTROL_EXTERNAL_URL: control,
    MODELWARD_GATEWAY_LISTEN: `127.0.0.1:${gatewayPort}`,
  },
  stdio: ["ignore", "ignore", process.env.SHOW_LOG ? "inherit" : "ignore"],
});
async function end() {
  const ended = new Promise((resolve) => serving.once("exit", resolve));
  if (serving.exitCode === null) {
    serving.kill("SIGTERM");
    await Promise.race([ended, sleep(40_000)]);
  }
  rmSync(place, { recursive: true, force: true });
}
process.on("uncaughtException", (error) => {
  console.log(error);
  end().finally(() => process.exit(1));
});
let ready = false;
for (let tries = 0; tries < 600 && !ready; tries += 1) {
  ready = await fetch(`http://127.0.0.1:${controlPort}/healthz/ready`).then((response) => response.ok, () => false);
  if (!ready) await sleep(100);
}
expect("the installation stands", ready);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  chromiumSandbox: process.getuid() !== 0,
});

/** A browser of its own with a device of its own; `verifies` is whether the device looks who uses it. */
async function person({ verifies = true, ...look } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce", ...look });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  const cdp = await context.newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: verifies,
      isUserVerified: verifies,
      automaticPresenceSimulation: true,
    },
  });
  const keys = async () => (await cdp.send("WebAuthn.getCredentials", { authenticatorId })).credentials;
  return { context, page, cdp, authenticatorId, keys, problems };
}

async function picture(page, name) {
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
}

const main = (page) => page.textContent("main");
const problem = async (page) => {
  const alert = page.locator("[role=alert]:visible");
  await alert.first().waitFor();
  return alert.first().textContent();
};

// --- Enrolment ---

const dana = await person();
await dana.page.goto(`${control}/enrol`);
await dana.page.fill("input[name=code]", code);
await dana.page.getByRole("button", { name: "Continue" }).click();
await dana.page.waitForLoadState();
const make = dana.page.locator("form[action='/enrol/passkey']");
expect("a new person can choose a passkey", await make.isVisible(), await main(dana.page));
await picture(dana.page, "enrol-passkey");
await make.locator("input[name=password]").fill("password1234");
await make.getByRole("button").click();
expect("a common password is refused before a device makes anything", /password/.test(await problem(dana.page)), await main(dana.page));
expect("and the device made nothing", (await dana.keys()).length === 0);
await make.locator("input[name=password]").fill(PASSWORD);
await make.locator("input[name=name]").fill("laptop");
await make.getByRole("button").click();
await dana.page.waitForSelector(".codes");
const codes = await dana.page.$$eval(".codes li", (all) => all.map((each) => each.textContent.trim()));
expect("ten recovery codes are shown", codes.length === 10 && new Set(codes).size === 10, codes.join(" "));
expect("the device holds one passkey, found by itself", (await dana.keys()).length === 1 && (await dana.keys())[0].isResidentCredential);
await picture(dana.page, "enrol-codes");

// --- Signing in ---

async function signIn(who) {
  await who.page.goto(`${control}/sign-in?next=%2Fsessions`);
  await who.page.getByRole("button", { name: "Sign in with a passkey" }).click();
}
await dana.page.goto(`${control}/sign-in`);
await picture(dana.page, "sign-in-passkey");
await signIn(dana);
await dana.page.waitForURL(`${control}/sessions`);
expect("a passkey signs in, without a name or a password", /passkey/.test(await dana.page.textContent("table")), await main(dana.page));
expect("where from is told", /127\.0\.0\.0\/24/.test(await dana.page.textContent("table")), await main(dana.page));
const cookies = await dana.context.cookies();
expect("the session is kept from scripts", cookies.every((cookie) => cookie.httpOnly && cookie.sameSite === "Lax"));

const careless = await person({ verifies: false });
await signIn(careless);
await problem(careless.page);
expect("row 24: a device that does not look who uses it signs nobody in", new URL(careless.page.url()).pathname === "/sign-in");
await careless.context.close();

// --- One's own ---

await dana.page.fill("#passkey", "blue key");
await dana.page.getByRole("button", { name: "Add a passkey" }).click();
expect("a device makes one passkey for one person", /already/.test(await problem(dana.page)), await main(dana.page));
const credential = (await dana.keys())[0];
await dana.cdp.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId: dana.authenticatorId });
const second = await dana.cdp.send("WebAuthn.addVirtualAuthenticator", {
  options: { protocol: "ctap2", transport: "usb", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
});
await dana.page.reload();
await dana.page.fill("#passkey", "blue key");
await dana.page.getByRole("button", { name: "Add a passkey" }).click();
await dana.page.waitForSelector(".notice.good");
const rows = () => dana.page.locator("#factors table").first().locator("tbody tr");
expect("a further passkey is there", (await rows().count()) === 2, await main(dana.page));
await picture(dana.page, "sessions");

const other = await person();
await other.cdp.send("WebAuthn.addCredential", { authenticatorId: other.authenticatorId, credential });
await signIn(other);
await other.page.waitForURL(`${control}/sessions`);
expect("both sessions stand in the list", (await other.page.locator("table").first().locator("tbody tr").count()) === 2);
await other.page.getByRole("button", { name: "End all but this one" }).click();
await other.page.waitForSelector(".notice.good");
await dana.page.goto(`${control}/sessions`);
expect("ending all others ends them at once", new URL(dana.page.url()).pathname === "/sign-in", dana.page.url());
await signIn(dana);
await dana.page.waitForURL(`${control}/sessions`);

// A copy of a passkey is one whose counter stands still while the other goes on.
const copy = await person();
await copy.cdp.send("WebAuthn.addCredential", { authenticatorId: copy.authenticatorId, credential });
await signIn(copy);
await copy.page.waitForLoadState();
expect("row 24: a copied passkey is told by its counter", /not accepted/.test(await problem(copy.page)), await main(copy.page));
await copy.context.close();
await dana.page.goto(`${control}/sessions`);
expect("and its owner is told", /was copied/.test(await dana.page.textContent(".notice")), await main(dana.page));
await picture(dana.page, "sessions-copied");

await rows().filter({ hasText: "laptop" }).getByRole("button", { name: "Remove" }).click();
await dana.page.getByRole("button", { name: "Remove" }).click();
await dana.page.waitForSelector(".notice.good");
expect("it is removed", (await rows().count()) === 1);
await rows().getByRole("button", { name: "Remove" }).click();
await dana.page.getByRole("button", { name: "Remove" }).click();
await dana.page.waitForLoadState();
expect("the last second factor stays", /only second factor/.test(await main(dana.page)), await main(dana.page));

await dana.page.goto(`${control}/sessions`);
await dana.page.getByRole("button", { name: "Set up" }).click();
await dana.page.waitForSelector("svg.qr");
await picture(dana.page, "authenticator");
await dana.page.goto(`${control}/sessions`);
await dana.page.getByRole("button", { name: "Make ten new ones" }).click();
await dana.page.getByRole("button", { name: "Make new codes" }).click();
await dana.page.waitForSelector(".codes");
const renewed = await dana.page.$$eval(".codes li", (all) => all.map((each) => each.textContent.trim()));
expect("new recovery codes are other ones", renewed.length === 10 && !renewed.some((each) => codes.includes(each)));
await picture(dana.page, "recovery-codes");

const lost = await person();
await lost.page.goto(`${control}/sign-in?recovery=1`);
await lost.page.fill("input[name=name]", "dana");
await lost.page.fill("input[name=password]", PASSWORD);
await lost.page.fill("input[name=recovery_code]", renewed[0]);
await lost.page.getByRole("button", { name: "Sign in", exact: true }).click();
await lost.page.waitForURL(`${control}/sessions`);
expect("a recovery code signs in, and says what it cost", /9 are left/.test(await lost.page.textContent(".notice")), await main(lost.page));
await picture(lost.page, "sessions-recovery");
await lost.context.close();

await dana.page.goto(`${control}/people/dana`);
expect("whoever governs sees what a person signs in with", /blue key/.test(await main(dana.page)), await main(dana.page));
await picture(dana.page, "person");

// --- How it looks elsewhere ---

const state = await dana.context.storageState();
for (const [name, look] of [
  ["dark", { colorScheme: "dark" }],
  ["narrow", { viewport: { width: 390, height: 844 } }],
]) {
  const there = await person({ ...look, storageState: state });
  for (const path of ["/sessions", "/people/dana", "/sign-in"]) {
    await there.page.goto(`${control}${path}`);
    const over = await there.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(`${path} fits its width, ${name}`, over <= 0, `${over} px too wide`);
    await picture(there.page, `${path.split("/").filter(Boolean).join("-")}-${name}`);
  }
  dana.problems.push(...there.problems);
  await there.context.close();
}
expect("no page had an error", [...dana.problems, ...other.problems].length === 0, dana.problems.join("; "));

await dana.cdp.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId: second.authenticatorId });
await browser.close();
await end();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
