//! Plain predictions through the gateway and through nginx.

use std::time::Duration;

use super::side::{Question, Side, Sides, all_answered, circumstances};
use super::{Figure, Reach, median};
use crate::load::closed_loop;
use crate::upstream::Mode;
use crate::{Error, say};

/// How long each measurement lasts.
const SPAN: Duration = Duration::from_secs(6);

pub(super) async fn run(rounds: usize) -> Result<Vec<Figure>, Error> {
    let sides = Sides::start().await?;
    say(&format!("gateway: {}; {rounds} rounds of {} s each", circumstances(), SPAN.as_secs()));
    let (ours, nginx) = cpu_per_request(&sides, rounds).await?;
    let (ours_p50, nginx_p50) = added_latency(&sides, rounds).await?;
    let ratio = |name: &str, ours: f64, peer: f64, limit: f64| Figure {
        name: name.to_owned(),
        unit: "µs".to_owned(),
        ours,
        peer: Some(("nginx".to_owned(), peer)),
        reach: Some(Reach::RatioAtMost(limit)),
    };
    Ok(vec![
        ratio("gateway CPU per request, 64 callers", ours, nginx, 3.0),
        ratio("added p50, upstream answers after 5 ms, 16 callers", ours_p50, nginx_p50, 1.5),
    ])
}

async fn cpu_per_request(sides: &Sides, rounds: usize) -> Result<(f64, f64), Error> {
    sides.set(Mode::default()).await?;
    let mut measured = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        for (side, values) in [Side::Nginx, Side::Ours].into_iter().zip(&mut measured) {
            let message = sides.message(side, Question::Predict).await?;
            let before = sides.cpu_us(side)?;
            let answered = closed_loop(&message, 64, SPAN).await?;
            let used = sides.cpu_us(side)? - before;
            all_answered(side, answered.refused)?;
            let per_request = used / answered.requests().max(1) as f64;
            say(&format!(
                "  {side:?}: {per_request:.1} µs CPU per request, {:.0} requests/s, p50 {:.0} µs, p99 {:.0} µs{}",
                answered.requests() as f64 / answered.elapsed.as_secs_f64(),
                answered.latency_us(0.5),
                answered.latency_us(0.99),
                if round == 0 { " (warm-up, not counted)" } else { "" },
            ));
            if round > 0 {
                values.push(per_request);
            }
        }
    }
    let [nginx, ours] = measured;
    Ok((median(ours), median(nginx)))
}

async fn added_latency(sides: &Sides, rounds: usize) -> Result<(f64, f64), Error> {
    sides.set(Mode { delay_ms: 5, ..Mode::default() }).await?;
    let mut measured = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (side, values) in [Side::Direct, Side::Nginx, Side::Ours].into_iter().zip(&mut measured) {
            let message = sides.message(side, Question::Predict).await?;
            let answered = closed_loop(&message, 16, SPAN).await?;
            all_answered(side, answered.refused)?;
            say(&format!(
                "  {side:?}: p50 {:.0} µs, p99 {:.0} µs",
                answered.latency_us(0.5),
                answered.latency_us(0.99)
            ));
            values.push(answered.latency_us(0.5));
        }
    }
    let [direct, nginx, ours] = measured.map(median);
    Ok((ours - direct, nginx - direct))
}
