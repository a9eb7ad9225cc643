// Signing in through somebody else's OpenID provider: npm `oidc-provider`, over TLS on loopback, with Chromium as the
// browser. The console by the code flow, the command line by the loopback and the device flow, a stranger who is linked,
// a second identity linked by its owner, sign-outs in both directions, keys that rotate, an issuer that is distrusted; and
// a workload with the token of a cluster that is played here.
//
// Usage: node identity.mjs PROGRAM FOLDER-WITH-NODE_MODULES

import { execFileSync, spawn } from "node:child_process";
import { createHmac, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createTlsServer, request as requestTls } from "node:https";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [program, folder] = process.argv.slice(2);
const require = createRequire(join(folder, "node_modules", "/"));
const { chromium } = require("playwright-core");
const { Provider, interactionPolicy } = await import(join(folder, "node_modules", "oidc-provider", "lib", "index.js"))
  .then((found) => ({ Provider: found.default ?? found.Provider, interactionPolicy: found.interactionPolicy }));

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

const place = mkdtempSync(join(tmpdir(), "modelward-identity-"));
const [issuerPort, controlPort, gatewayPort] = [await freePort(), await freePort(), await freePort()];
const issuer = `https://localhost:${issuerPort}`;
const control = `http://127.0.0.1:${controlPort}`;
const PASSWORD = "a long walk by the river";
const SECRET = "of-the-console-0123456789";

// --- The provider ---

execFileSync("openssl", [
  ..."req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split(" "),
  ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"],
  ...["-keyout", join(place, "tls.key"), "-out", join(place, "tls.pem")],
], { stdio: "ignore" });

/** Who the provider says is sitting in front of it. */
let who = { account: "eli-0001", acr: "urn:example:mfa", amr: ["pwd", "otp"], groups: ["fraud"] };

function keyPair(kid) {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" };
}

function provide(kid) {
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: "console",
        client_secret: SECRET,
        redirect_uris: [`${control}/sign-in/back`],
        post_logout_redirect_uris: [`${control}/sign-in`],
        backchannel_logout_uri: `${control}/api/v1/issuers/corporate/logout`,
        backchannel_logout_session_required: true,
      },
      {
        client_id: "cli",
        application_type: "native",
        token_endpoint_auth_method: "none",
        redirect_uris: ["http://127.0.0.1/"],
        grant_types: ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"],
      },
    ],
    jwks: { keys: [keyPair(kid)] },
    cookies: { keys: ["0123456789abcdef0123456789abcdef"] },
    claims: {
      openid: ["sub", "acr", "amr", "auth_time", "sid"],
      profile: ["name", "groups"],
      email: ["email"],
    },
    acrValues: ["urn:example:mfa"],
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, name: "Eli Brandt", email: "eli@example.org", groups: who.groups }),
    }),
    features: {
      devInteractions: { enabled: false },
      deviceFlow: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
    },
    ttl: { Interaction: 600, Session: 3600, Grant: 3600, AccessToken: 300, IdToken: 300, AuthorizationCode: 60, DeviceCode: 300 },
    interactions: { policy: interactionPolicy.base(), url: (_, interaction) => `/interaction/${interaction.uid}` },
    // Its own guard keeps it from calling loopback addresses; the console is at one.
    fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
  });
  provider.on("server_error", (_, error) => console.log(`  the provider failed: ${error.stack}`));
  provider.on("backchannel.error", (_, error) => console.log(`  a notice was refused: ${error.message}`));
  provider.use(async (ctx, next) => {
    const uid = ctx.path.match(/^\/interaction\/([\w-]+)$/)?.[1];
    if (!uid) return next();
    const { prompt, params, grantId, session } = await provider.interactionDetails(ctx.req, ctx.res);
    let result;
    if (prompt.name === "login") {
      result = { login: { accountId: who.account, acr: who.acr, amr: who.amr, remember: true } };
    } else {
      const accountId = session.accountId;
      const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId, clientId: params.client_id });
      grant.addOIDCScope("openid profile email");
      grant.addOIDCClaims(prompt.details.missingOIDCClaims ?? []);
      result = { consent: { grantId: await grant.save() } };
    }
    await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: true });
    ctx.respond = false;
  });
  return provider.callback();
}

let answer = provide("first");
const server = createTlsServer(
  { key: readFileSync(join(place, "tls.key")), cert: readFileSync(join(place, "tls.pem")) },
  (request, response) => answer(request, response),
).listen(issuerPort, "127.0.0.1");

// --- The installation ---

const children = [];
const environment = { PATH: process.env.PATH, HOME: place, XDG_CONFIG_HOME: join(place, "config") };
async function end() {
  const running = children.filter((child) => child.exitCode === null && child.signalCode === null);
  const ended = running.map((child) => new Promise((resolve) => child.once("exit", resolve)));
  for (const child of running) child.kill("SIGTERM");
  await Promise.race([Promise.all(ended), sleep(40_000)]);
  server.closeAllConnections();
  server.close();
  rmSync(place, { recursive: true, force: true });
}
process.on("uncaughtException", (error) => {
  console.log(error);
  end().finally(() => process.exit(1));
});

/** RFC 4648 base 32. */
function unbase32(text) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...text.toUpperCase().replace(/[=\s]+/g, "")].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, "0")).join("");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

/** RFC 6238 with SHA-1, six digits, thirty seconds. */
function oneTimeCode(secret, seconds) {
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(seconds / 30)));
  const digest = createHmac("sha1", unbase32(secret)).update(step).digest();
  return String((digest.readUInt32BE(digest[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

async function api(method, path, session, body, form) {
  const headers = session ? { authorization: `Bearer ${session}` } : {};
  if (body) headers["content-type"] = form ? "application/x-www-form-urlencoded" : "application/json";
  const sent = body ? (form ? new URLSearchParams(body).toString() : JSON.stringify(body)) : undefined;
  const response = await fetch(`${control}${path}`, { method, headers, body: sent });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : {} };
}

/** For what has to be there before anything can be tried. */
async function prepare(path, body) {
  const done = await api("POST", path, dana, body);
  if (done.status !== 200) throw new Error(`${path}: ${done.status} ${JSON.stringify(done.body)}`);
}

async function enrol(code) {
  const started = (await api("POST", "/api/v1/enrol", null, { code })).body;
  const now = Date.now() / 1000;
  const confirmed = { code, password: PASSWORD, totp: oneTimeCode(started.secret, now) };
  await api("POST", "/api/v1/enrol/confirm", null, confirmed);
  const login = { name: started.name, password: PASSWORD, totp: oneTimeCode(started.secret, now + 30) };
  const signedIn = await api("POST", "/api/v1/login", null, login);
  return signedIn.body.session_secret;
}

const cluster = generateKeyPairSync("rsa", { modulusLength: 2048 });
const clusterJwk = { ...cluster.publicKey.export({ format: "jwk" }), kid: "cluster", use: "sig", alg: "RS256" };
const data = join(place, "data");
mkdirSync(join(place, "config"), { recursive: true });
const code = execFileSync(program, ["init", "dana", "--data-dir", data], { env: environment, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
writeFileSync(join(data, "client.secret"), SECRET, { mode: 0o600 });
writeFileSync(join(data, "cluster.json"), JSON.stringify({ keys: [clusterJwk] }));
appendFileSync(
  join(data, "modelward.toml"),
  `
[issuers.corporate]
url = "${issuer}"
title = "Corporate"
client_id = "console"
client_secret_file = "client.secret"
cli_client_id = "cli"
algorithms = ["RS256"]
privileges = ["read-only", "inference", "audit"]
group_prefix = "corp-"
acr = ["urn:example:mfa=2fa"]
ca_file = "${join(place, "tls.pem")}"
private_hosts = ["localhost"]

[issuers.cluster]
url = "https://kubernetes.default.svc.cluster.local"
jwks_file = "cluster.json"
algorithms = ["RS256"]
audience = "modelward"

[workloads.trainer]
issuer = "cluster"
machine = "trainer"
match = ["sub=system:serviceaccount:ml:trainer", "kubernetes.io/namespace=ml"]
`,
);
const serving = spawn(program, ["serve", "--config", join(data, "modelward.toml")], {
  env: { ...environment, MODELWARD_CONTROL_LISTEN: `127.0.0.1:${controlPort}`, MODELWARD_GATEWAY_LISTEN: `127.0.0.1:${gatewayPort}` },
  stdio: ["ignore", "ignore", process.env.SHOW_LOG ? "inherit" : "ignore"],
});
children.push(serving);
for (let tries = 0; tries < 600; tries += 1) {
  if (await fetch(`${control}/healthz/ready`).then((response) => response.ok, () => false)) break;
  await sleep(100);
}
const dana = await enrol(code);
expect("the installation stands", Boolean(dana));
await prepare("/api/v1/enrolments", { name: "eli" });

// --- The console, by the code flow ---

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  chromiumSandbox: process.getuid() !== 0,
});
const fresh = () => browser.newContext({ ignoreHTTPSErrors: true });

/** Signs in with the button, and gives the page it ends on. */
async function through(context) {
  const page = await context.newPage();
  await page.goto(`${control}/sign-in?next=%2Fsessions`);
  await page.getByRole("link", { name: "Corporate" }).click();
  await page.waitForURL((url) => url.origin === control && url.pathname !== "/sign-in");
  await page.waitForLoadState();
  return page;
}

const eli = await fresh();
let page = await through(eli);
expect("a stranger is refused, and told what to do", /nobody here yet/.test(await page.textContent("h1")), await page.textContent("body"));
const strangers = await api("GET", "/api/v1/strangers", dana);
expect("the stranger waits to be linked", strangers.body.items?.[0]?.subject === "eli-0001", JSON.stringify(strangers.body));
const linked = await api("POST", "/api/v1/people/eli/identities", dana, { issuer: "corporate", subject: "eli-0001" });
expect("the stranger is linked", linked.status === 200, JSON.stringify(linked.body));

page = await through(eli);
expect("a linked person is signed in", new URL(page.url()).pathname === "/sessions", page.url());
expect("the sign-in counts what the issuer says of it", /code|otp/.test(await page.textContent("table")), await page.textContent("table"));
const cookies = await eli.cookies(control);
const session = cookies.find((cookie) => cookie.name.endsWith("mw_sid"));
expect("the session is kept from scripts and other sites", session?.httpOnly && session.sameSite === "Lax", JSON.stringify(cookies));
expect("what was kept meanwhile is gone", !cookies.some((cookie) => cookie.name.endsWith("mw_flow")));

const issuers = await api("GET", "/api/v1/issuers", dana);
const corporate = issuers.body.items?.find((each) => each.name === "corporate");
expect("its key is known", corporate?.keys.join() === "first", JSON.stringify(corporate));
expect("its session is counted", corporate?.sessions === 1, `${corporate?.sessions}`);

// A code that somebody else got, brought to a browser that began a sign-in of its own.
const jar = new Map();
async function hop(url) {
  return new Promise((resolve, reject) => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    requestTls(url, { rejectUnauthorized: false, headers: { cookie } }, (response) => {
      for (const line of response.headers["set-cookie"] ?? []) {
        const [name, ...value] = line.split(";")[0].split("=");
        jar.set(name, value.join("="));
      }
      response.resume();
      resolve(new URL(response.headers.location, url).href);
    }).on("error", reject).end();
  });
}
const begun = await fetch(`${control}/sign-in/with/corporate`, { redirect: "manual" });
let caught = begun.headers.get("location");
for (let hops = 0; hops < 8 && caught.startsWith(issuer); hops += 1) caught = await hop(caught);
expect("a code was caught on its way", caught.startsWith(`${control}/sign-in/back?code=`), caught);
const victim = await fresh();
const attacked = await victim.newPage();
await attacked.request.get(`${control}/sign-in/with/corporate`, { maxRedirects: 0 });
const planted = await attacked.goto(caught);
expect("row 16: it counts only in the browser that asked for it", planted.status() === 422, `${planted.status()}`);
expect("and nobody is signed in by it", !(await victim.cookies(control)).some((cookie) => cookie.name === "mw_sid"));
await victim.close();

// --- Signing out ---

await page.goto(control);
await page.getByRole("button", { name: "Sign out" }).click();
await page.waitForLoadState();
const there = page.getByRole("link", { name: "Sign out there too" });
expect("after signing out here, the way to sign out there", (await there.count()) === 1, page.url());
page = await through(eli);
const other = await through(eli);
expect("signed in again without a word at the issuer", new URL(other.url()).pathname === "/sessions", other.url());
await page.goto(`${issuer}/session/end?client_id=console&post_logout_redirect_uri=${encodeURIComponent(`${control}/sign-in`)}`);
await page.locator("button[value=yes]").click();
await page.waitForURL((url) => url.origin === control);
const gone = await other.goto(`${control}/sessions`);
expect("back-channel logout: signing out there is signing out here", new URL(other.url()).pathname === "/sign-in", `${gone.status()} ${other.url()}`);
await eli.close();

// --- The command line ---

function run(args) {
  const child = spawn(program, args, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  const told = { out: "", err: "" };
  child.stdout.on("data", (text) => (told.out += text));
  child.stderr.on("data", (text) => (told.err += text));
  const ended = new Promise((resolve) => child.on("close", (status) => resolve(status)));
  const seen = async (pattern) => {
    for (let tries = 0; tries < 400; tries += 1) {
      const found = told.err.match(pattern);
      if (found) return found;
      await sleep(50);
    }
    throw new Error(`no ${pattern} in ${told.err}`);
  };
  return { told, ended, seen };
}

const login = ["login", "--issuer", "corporate", "--server", control, "--issuer-ca", join(place, "tls.pem")];
const seat = await fresh();
const tab = await seat.newPage();
const device = run([...login, "--device"]);
const [, address] = await device.seen(/or open (https:\S+)/);
await tab.goto(address);
for (let clicks = 0; clicks < 3; clicks += 1) {
  await tab.waitForLoadState();
  const button = tab.locator("button[type=submit]").first();
  if ((await button.count()) === 0) break;
  await button.click();
}
const deviceStatus = await device.ended;
expect("the device flow signs in", deviceStatus === 0, device.told.err);
const me = run(["whoami", "--json"]);
await me.ended;
expect("and it is eli", /"eli"/.test(me.told.out), me.told.out + me.told.err);

const here = run(login);
const [, opened] = await here.seen(/(https:\/\/localhost:\S+)/);
await tab.goto(opened);
const hereStatus = await here.ended;
expect("the loopback flow signs in", hereStatus === 0, here.told.err);
expect("the browser may be closed", /close this page/.test(await tab.textContent("body")));
expect("no secret is in the address of the browser", !/id_token|access_token/.test(tab.url()), tab.url());
await seat.close();

// --- A second identity, linked by its owner ---

const hers = await fresh();
const invited = await api("POST", "/api/v1/enrolments", dana, { name: "femi" });
const femi = await enrol(invited.body.code);
await hers.addCookies([{ name: "mw_sid", value: femi, url: control, httpOnly: true, sameSite: "Lax" }]);
who = { ...who, account: "femi-0002" };
const own = await hers.newPage();
await own.goto(`${control}/sessions`);
await own.getByRole("link", { name: "Corporate" }).click();
await own.waitForURL((url) => url.origin === control);
const identities = await api("GET", "/api/v1/people/femi/identities", dana);
expect("an owner links who they are elsewhere", identities.body.items?.[0]?.subject === "femi-0002", JSON.stringify(identities.body));
const taken = await api("POST", "/api/v1/people/femi/identities", dana, { issuer: "corporate", subject: "mallory" });
expect("nobody else links another to somebody who can sign in", taken.status === 409, JSON.stringify(taken.body));
await hers.close();

// --- A workload ---

function projected(claims) {
  const now = Math.floor(Date.now() / 1000);
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = {
    iss: "https://kubernetes.default.svc.cluster.local",
    aud: ["modelward"],
    sub: "system:serviceaccount:ml:trainer",
    iat: now,
    nbf: now,
    exp: now + 3600,
    jti: randomUUID(),
    "kubernetes.io": { namespace: "ml", serviceaccount: { name: "trainer", uid: randomUUID() } },
    ...claims,
  };
  const signed = `${encode({ alg: "RS256", kid: "cluster" })}.${encode(body)}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), cluster.privateKey).toString("base64url")}`;
}

await prepare("/api/v1/machines", { machines: [{ name: "trainer", owner: "femi", clearance: "internal" }] });
const until = new Date(Date.now() + 8 * 3_600_000).toISOString();
await prepare("/api/v1/apply", { declaration: { project: [{ name: "risk" }], model: [{ name: "fraud", project: "risk", classification: "internal" }] } });
await prepare("/api/v1/grants", { grantee: "machine:trainer", privilege: "inference", scope: "fraud", not_after: until });
writeFileSync(join(place, "token"), projected({}));
const workload = run(["token", "--workload-token", join(place, "token"), "--server", control]);
const workloadStatus = await workload.ended;
expect("a pod gets a token of its machine", workloadStatus === 0 && workload.told.out.split(".").length === 3, workload.told.err);
writeFileSync(join(place, "token"), projected({ sub: "system:serviceaccount:ml:other" }));
const another = run(["token", "--workload-token", join(place, "token"), "--server", control]);
expect("another pod does not", (await another.ended) !== 0, another.told.out);

// --- Keys that rotate, and distrust ---

who = { ...who, account: "eli-0001" };
answer = provide("second");
const later = await fresh();
let after = await through(later);
expect("a key that was never seen is not believed within the minute", new URL(after.url()).pathname === "/sign-in/back", after.url());
console.log("  waiting a minute: an issuer is asked once in it");
await sleep(61_000);
after = await through(later);
expect("a new key is found", new URL(after.url()).pathname === "/sessions", `${after.url()} ${await after.textContent("body")}`);

const distrusted = await api("POST", "/api/v1/issuers/corporate/distrust", dana);
expect("distrust ends what rests on the issuer", distrusted.body.sessions_ended >= 1, JSON.stringify(distrusted.body));
await after.goto(`${control}/sessions`);
expect("a session of it is gone", new URL(after.url()).pathname === "/sign-in", after.url());
expect("and so is its button", (await after.getByRole("link", { name: "Corporate" }).count()) === 0);
const trusted = await api("POST", "/api/v1/issuers/corporate/trust", dana);
expect("it can be trusted again", trusted.status === 200 && !trusted.body.issuer.distrusted_at, JSON.stringify(trusted.body));

await browser.close();
await end();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
