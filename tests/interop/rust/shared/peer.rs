//! What the drivers of both generations have in common: each compiles it against its own moq-net.
use crate::arguments::{Arguments, Film};
use anyhow::{Context, bail};
use moq_net::{Timestamp, broadcast, track};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};

/// How long a group may be late: far longer than any case takes.
pub const MAX_AGE: Duration = Duration::from_secs(60);

/// Writes the film once somebody has subscribed; with --hold at once, and the track stays open.
pub async fn write(arguments: &Arguments, track: &mut track::Producer, film: &Film) -> anyhow::Result<()> {
    if !arguments.has("hold") {
        timeout(Duration::from_secs(20), subscribed(track))
            .await
            .context("nobody has subscribed")??;
    }
    let begin = Instant::now();
    for frames in film.groups() {
        let mut group = track.append_group()?;
        for (due, frame) in frames {
            sleep_until(begin + due).await;
            group.write_frame(Timestamp::now(), frame)?;
        }
        group.finish()?;
    }
    if !arguments.has("hold") {
        track.finish()?;
    }
    println!("written");
    Ok(())
}

/// Waits for a subscription: a request for the track's properties is none.
async fn subscribed(track: &mut track::Producer) -> anyhow::Result<()> {
    while track.subscription().is_none() {
        track.subscription_changed().await?;
    }
    Ok(())
}

/// The groups of a track, which come in any order.
#[derive(Default)]
pub struct Groups(BTreeMap<u64, Vec<u8>>);

impl Groups {
    pub fn of(&mut self, sequence: u64) -> &mut Vec<u8> {
        self.0.entry(sequence).or_default()
    }

    pub fn save(&self, path: &str) -> anyhow::Result<()> {
        let content: Vec<u8> = self.0.values().flatten().copied().collect();
        std::fs::write(path, &content)?;
        println!("ended after {} groups, {} bytes", self.0.len(), content.len());
        Ok(())
    }
}

pub async fn fetch(arguments: &Arguments, broadcast: &broadcast::Consumer) -> anyhow::Result<()> {
    let sequence = arguments.word(4, "GROUP")?.parse()?;
    let mut group = broadcast.track(arguments.word(3, "TRACK")?)?.fetch_group(sequence, None).await?;
    let mut frames = vec![];
    while let Some(frame) = group.read_frame().await? {
        frames.push(frame.payload);
    }
    std::fs::write(arguments.word(5, "FILE")?, frames.concat())?;
    println!("fetched {} frames", frames.len());
    Ok(())
}

/// Before moq-lite-05 a subscription is refused only after it has begun for this library.
pub async fn refused(arguments: &Arguments, broadcast: &broadcast::Consumer) -> anyhow::Result<()> {
    let subscribed = broadcast.track(arguments.word(3, "TRACK")?)?.subscribe(None).await;
    let error = match subscribed {
        Err(error) => error,
        Ok(mut track) => match track.recv_group().await {
            Err(error) => error,
            Ok(group) => bail!("not refused: {}", if group.is_some() { "a group" } else { "an empty track" }),
        },
    };
    println!("refused {error:?}");
    Ok(())
}
