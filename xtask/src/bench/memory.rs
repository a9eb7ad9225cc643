//! What an idle system keeps in memory.

use std::time::Duration;

use super::{Figure, Reach};
use crate::system::{Behind, Profile, System, build};
use crate::{Error, process};

/// How long it is left alone before it is looked at.
const REST: Duration = Duration::from_secs(5);

pub(super) async fn run() -> Result<Vec<Figure>, Error> {
    // No model server of its own: nobody asks anything.
    let behind = Behind::Given { url: "http://127.0.0.1:9".to_owned(), credential: "unused".to_owned() };
    let system = System::start(build(Profile::Dist)?, &behind, None).await?;
    tokio::time::sleep(REST).await;
    Ok(vec![Figure {
        name: "memory of an idle system".to_owned(),
        unit: "MiB".to_owned(),
        ours: process::resident_mib(system.id())?,
        peer: None,
        reach: Some(Reach::AtMost(80.0)),
    }])
}
