//! Event streams through the gateway, with its filter on, and through nginx.

use super::side::{Question, Side, Sides, all_answered, circumstances};
use super::{Figure, Reach, median};
use crate::load::streams;
use crate::upstream::Mode;
use crate::{Error, say};

/// 200 streams of 50 events a second: 10 000 events a second for eight seconds.
const PACED: (usize, Mode) = (200, Mode { delay_ms: 0, events: 400, pace_us: 20_000 });

/// Eight streams as fast as they are taken.
const BURST: (usize, Mode) = (8, Mode { delay_ms: 0, events: 25_000, pace_us: 0 });

/// What a side did with the streams.
struct Relayed {
    cpu_us_per_event: f64,
    events_per_second: f64,
}

pub(super) async fn run(rounds: usize) -> Result<Vec<Figure>, Error> {
    let sides = Sides::start().await?;
    say(&format!("sse: {}; {rounds} rounds", circumstances()));
    let (nginx, ours) = compare(&sides, PACED, rounds).await?;
    let paced = Figure {
        name: "SSE relay CPU per event, 10 000 events/s paced".to_owned(),
        unit: "µs".to_owned(),
        ours: ours.cpu_us_per_event,
        peer: Some(("nginx".to_owned(), nginx.cpu_us_per_event)),
        reach: Some(Reach::RatioAtMost(1.3)),
    };
    let (nginx, ours) = compare(&sides, BURST, rounds).await?;
    let burst = Figure {
        name: "SSE relay burst (a stretch: ≥ 0.3 ×)".to_owned(),
        unit: "events/s".to_owned(),
        ours: ours.events_per_second,
        peer: Some(("nginx".to_owned(), nginx.events_per_second)),
        reach: None,
    };
    Ok(vec![paced, burst])
}

async fn compare(
    sides: &Sides,
    (count, mode): (usize, Mode),
    rounds: usize,
) -> Result<(Relayed, Relayed), Error> {
    sides.set(mode).await?;
    let mut cpu = [Vec::new(), Vec::new()];
    let mut rate = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (place, side) in [Side::Nginx, Side::Ours].into_iter().enumerate() {
            let message = sides.message(side, Question::Stream).await?;
            let before = sides.cpu_us(side)?;
            let told = streams(&message, count).await?;
            let used = sides.cpu_us(side)? - before;
            all_answered(side, told.refused)?;
            let sent = u64::from(mode.events + 1) * count as u64;
            if told.events != sent {
                return Err(Error::Unmet(format!("{side:?} relayed {} of {sent} events", told.events)));
            }
            let per_event = used / told.events as f64;
            let per_second = told.events as f64 / told.elapsed.as_secs_f64();
            say(&format!("  {side:?}: {per_event:.2} µs CPU per event, {per_second:.0} events/s"));
            if let (Some(cpu), Some(rate)) = (cpu.get_mut(place), rate.get_mut(place)) {
                cpu.push(per_event);
                rate.push(per_second);
            }
        }
    }
    let [nginx_cpu, our_cpu] = cpu.map(median);
    let [nginx_rate, our_rate] = rate.map(median);
    let nginx = Relayed { cpu_us_per_event: nginx_cpu, events_per_second: nginx_rate };
    Ok((nginx, Relayed { cpu_us_per_event: our_cpu, events_per_second: our_rate }))
}
