//! A reviewer's part: a key of one's own, and a signature over a bundle's digest.

use std::path::PathBuf;

use modelward_decision::vocabulary::Name;
use modelward_policy::BundleFile;
use modelward_policy::review::sign as sign_bundle;
use modelward_seal::Digest;
use modelward_seal::note::{KeyName, Signer as _, SoftwareSigner};
use modelward_seal::source::Ids as _;
use modelward_server::wire::{BundleText, PolicyStatus, SignBundleRequest};
use zeroize::Zeroizing;

use super::super::Context;
use super::super::api::{Server, wait};
use super::{life, read_bundle, write};
use crate::client::escape;
use crate::clock::SystemIds;
use crate::exit::{Exit, Failure, Outcome};
use crate::private;

/// Make a reviewer's signing key; its public half goes into `reviewers.toml`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct KeyArgs {
    /// The reviewer's name, as the reviewer signs in
    name: Name,
    /// Where to write the secret key, readable by you alone
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// The group the reviewer signs for; only `security` can let guardrails change
    #[arg(long, default_value = "reviewers", value_name = "GROUP")]
    group: Name,
}

/// Sign a bundle as a reviewer: one at the server by its digest, or one in a file
///
/// The digest is what is signed: compare it with the one the author told you before you do.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct SignArgs {
    /// The bundle: `sha256:…` at the server, or a file that `modelward policy build` wrote
    bundle: String,
    /// Your secret key, as `modelward policy key` wrote it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Who wrote the bundle
    #[arg(long, value_name = "NAME")]
    author: Name,
    /// The group you sign for
    #[arg(long, value_name = "GROUP")]
    role: Name,
    /// The bundle it follows [default: the one in force at the server]
    #[arg(long, value_name = "DIGEST")]
    previous: Option<Digest>,
    #[command(flatten)]
    server: Server,
}

const KEY_BYTES_MAX: u64 = 4096;

pub(super) fn key(context: &Context, args: &KeyArgs) -> Outcome {
    let name = KeyName::new(args.name.as_str()).map_err(|error| Failure::of(Exit::Usage, &error))?;
    if args.output.exists() {
        return Err(Failure::new(Exit::Usage, format!("`{}` is there already", args.output.display()))
            .hint("a key is never overwritten: choose another name"));
    }
    let mut seed = Zeroizing::new([0; 32]);
    SystemIds.fill(&mut *seed);
    let signer = SoftwareSigner::from_seed(name, &seed);
    let verifier = signer.verifier().map_err(|error| Failure::of(Exit::Failure, &error))?;
    let text = Zeroizing::new(format!("{}\n{}\n", args.name, hex::encode(*seed)));
    private::write(&args.output, text.as_bytes()).map_err(|error| Failure::of(Exit::Failure, &error))?;
    let terminal = &context.terminal;
    if terminal.json() {
        let value =
            serde_json::json!({ "name": args.name, "group": args.group, "key": verifier.to_string() });
        terminal.value(&value)?;
        return Ok(Exit::Ok);
    }
    terminal
        .note(&format!("the secret key is in {}; this goes into `reviewers.toml`:", args.output.display()));
    let entry = format!(
        "[[reviewer]]\nname = \"{}\"\ngroup = \"{}\"\nkeys = [\"{verifier}\"]",
        args.name, args.group
    );
    terminal.line(&entry)?;
    Ok(Exit::Ok)
}

fn signer(path: &std::path::Path) -> Result<(Name, SoftwareSigner), Failure> {
    let bytes =
        Zeroizing::new(private::read(path, KEY_BYTES_MAX).map_err(|error| Failure::of(Exit::Usage, &error))?);
    let broken = || {
        Failure::new(Exit::Usage, format!("`{}` holds no reviewer's key", path.display()))
            .hint("make one with `modelward policy key`")
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| broken())?;
    let (name, digits) = text.trim_end().split_once('\n').ok_or_else(broken)?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits.trim(), &mut *seed).map_err(|_| broken())?;
    let key_name = KeyName::new(name).map_err(|_| broken())?;
    Ok((name.parse().map_err(|_| broken())?, SoftwareSigner::from_seed(key_name, &seed)))
}

pub(super) fn sign(context: &Context, args: &SignArgs) -> Outcome {
    match args.bundle.parse::<Digest>() {
        Ok(digest) => at_server(context, args, digest),
        Err(_) => in_file(context, args),
    }
}

fn at_server(context: &Context, args: &SignArgs, digest: Digest) -> Outcome {
    let (name, signer) = signer(&args.key)?;
    let client = args.server.signed_in(context)?;
    let path = format!("/api/v1/policy/bundles/{}", escape(&digest.to_string()));
    let text: BundleText = wait(async { Ok(client.read(&format!("{path}/file")).await?) })?;
    // What is signed is what is here, not what the server calls it.
    let file = BundleFile::open(text.file.as_bytes()).map_err(|error| Failure::of(Exit::Failure, &error))?;
    if file.digest() != digest {
        let message = format!("the server gave {} for {digest}; nothing was signed", file.digest());
        return Err(Failure::new(Exit::Failure, message));
    }
    let previous = match args.previous {
        Some(previous) => previous,
        None => {
            let policy: PolicyStatus = wait(async { Ok(client.read("/api/v1/policy").await?) })?;
            policy.active.digest.parse().map_err(|_| {
                Failure::new(Exit::Failure, "the server does not say which bundle is in force")
            })?
        }
    };
    let signature = sign_bundle(&file, previous, &args.author, &name, &args.role, &signer)
        .map_err(|error| Failure::of(Exit::Failure, &error))?;
    let request: SignBundleRequest = serde_json::to_value(&signature)
        .and_then(serde_json::from_value)
        .map_err(|error| Failure::of(Exit::Failure, &error))?;
    life::changed(context, &wait(async { Ok(client.post(&format!("{path}/signatures"), &request).await?) })?)
}

fn in_file(context: &Context, args: &SignArgs) -> Outcome {
    let path = PathBuf::from(&args.bundle);
    let Some(previous) = args.previous else {
        return Err(Failure::new(Exit::Usage, "a bundle in a file needs `--previous`")
            .hint("it is the digest of the bundle in force, as `modelward policy show` prints it"));
    };
    let (name, signer) = signer(&args.key)?;
    let file = read_bundle(&path)?;
    let signature = sign_bundle(&file, previous, &args.author, &name, &args.role, &signer)
        .map_err(|error| Failure::of(Exit::Failure, &error))?;
    let signed = file.with_signature(signature);
    write(&path, &signed.to_bytes().map_err(|error| Failure::of(Exit::Failure, &error))?)?;
    context.terminal.line(&signed.digest().to_string())?;
    context.terminal.note(&format!("{} has {} signatures", path.display(), signed.signatures().len()));
    Ok(Exit::Ok)
}
