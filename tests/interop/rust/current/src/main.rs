//! A client of the newest moq-net, over native QUIC or WebTransport. See arguments.rs for its command line.
#[path = "../../shared/arguments.rs"]
mod arguments;

use anyhow::{Context, bail};
use arguments::{Arguments, Film, told_to_leave};
use moq_net::{Timestamp, announce, broadcast, origin, track};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};

/// How long a group may be late: far longer than any case takes.
const MAX_AGE: Duration = Duration::from_secs(60);

struct Peer {
    client: moq_tokio::Client,
    connection: moq_tokio::Connection,
}

impl Peer {
    async fn connect(arguments: &Arguments, role: impl FnOnce(moq_tokio::Client) -> moq_tokio::Client) -> anyhow::Result<Self> {
        let mut config = moq_tokio::connect::Config::default();
        config.once = Some(true);
        config.tls.fingerprint = arguments.option("fingerprint")?.into_iter().collect();
        config.version = arguments.option("version")?.into_iter().collect();
        let client = role(config.init(Default::default())?);
        let url: url::Url = arguments.word(1, "URL")?.parse()?;
        let connection = timeout(Duration::from_secs(15), client.connect(url).established())
            .await
            .context("no session")??;
        println!("version {}", connection.version().context("the session has ended")?);
        Ok(Self { client, connection })
    }

    async fn close(self) {
        let _ = self.connection.close().await;
        self.client.close().await;
    }
}

async fn write(track: &track::Producer, film: &Film) -> anyhow::Result<()> {
    let begin = Instant::now();
    for frames in film.groups() {
        let mut group = track.append_group()?;
        for (due, frame) in frames {
            sleep_until(begin + due).await;
            group.write_frame(Timestamp::now(), frame)?;
        }
        group.finish()?;
    }
    Ok(())
}

/// Waits for a subscription: a request for the track's properties is none.
async fn subscribed(track: &mut track::Producer) -> anyhow::Result<()> {
    while track.subscription().is_none() {
        track.subscription_changed().await?;
    }
    Ok(())
}

async fn publish(arguments: &Arguments) -> anyhow::Result<()> {
    let film = Film::read(arguments, arguments.word(4, "FILE")?)?;
    let origin = moq_tokio::origin::spawn();
    let broadcast = origin.create_broadcast(arguments.word(2, "BROADCAST")?)?;
    let mut track = broadcast.create_track(arguments.word(3, "TRACK")?, track::Info::default().with_max_age(MAX_AGE))?;
    broadcast.announce(Default::default())?;
    let peer = Peer::connect(arguments, |client| client.with_publisher(&origin)).await?;
    if !arguments.has("hold") {
        timeout(Duration::from_secs(20), subscribed(&mut track))
            .await
            .context("nobody has subscribed")??;
    }
    write(&track, &film).await?;
    if !arguments.has("hold") {
        track.finish()?;
    }
    println!("written");
    told_to_leave().await;
    broadcast.close();
    peer.close().await;
    Ok(())
}

/// A session that subscribes, and a broadcast once it is announced.
async fn find(arguments: &Arguments) -> anyhow::Result<(Peer, broadcast::Consumer)> {
    let origin = moq_tokio::origin::spawn();
    let peer = Peer::connect(arguments, |client| client.with_subscriber(origin.clone())).await?;
    let consumer = origin.consume();
    let broadcast = consumer.routed_broadcast(arguments.word(2, "BROADCAST")?);
    Ok((
        peer,
        timeout(Duration::from_secs(20), broadcast).await.context("it is not announced")??,
    ))
}

async fn watch(arguments: &Arguments) -> anyhow::Result<()> {
    let (peer, broadcast) = find(arguments).await?;
    let everything = track::Subscription::default().with_max_age(MAX_AGE).with_groups(0..);
    let subscription = if arguments.has("defaults") { None } else { Some(everything) };
    let mut track = broadcast.track(arguments.word(3, "TRACK")?)?.subscribe(subscription).await?;
    println!("subscribed");
    let mut groups = BTreeMap::new(); // They come in any order.
    while let Some(mut group) = track.recv_group().await.context("the track")? {
        let content: &mut Vec<u8> = groups.entry(group.sequence).or_default();
        while let Some(frame) = group.read_frame().await.with_context(|| format!("group {}", group.sequence))? {
            content.extend_from_slice(&frame.payload);
        }
    }
    let content: Vec<u8> = groups.values().flatten().copied().collect();
    std::fs::write(arguments.word(4, "FILE")?, &content)?;
    println!("ended after {} groups, {} bytes", groups.len(), content.len());
    drop(track);
    peer.close().await;
    Ok(())
}

async fn announcements(arguments: &Arguments) -> anyhow::Result<()> {
    let origin: origin::Producer = moq_tokio::origin::spawn();
    let prefix = moq_net::Patterns::from(moq_net::Pattern::subtree(arguments.word(2, "PREFIX")?)?);
    let mut announced = origin.consume().scope("", &prefix)?.announced();
    let peer = Peer::connect(arguments, |client| client.with_subscriber(origin.clone())).await?;
    let follow = async {
        while let Some(update) = announced.next().await {
            match update.kind {
                announce::Kind::Announced => println!("announced {}", update.prefix),
                announce::Kind::Retracted => println!("unannounced {}", update.prefix),
                announce::Kind::Updated => {} // Another route, or another cost of it.
            }
        }
    };
    tokio::select! {
        _ = follow => bail!("no more announcements"),
        reason = peer.connection.closed() => println!("closed {reason:?}"),
        _ = told_to_leave() => peer.close().await,
    }
    Ok(())
}

async fn fetch(arguments: &Arguments) -> anyhow::Result<()> {
    let (peer, broadcast) = find(arguments).await?;
    let sequence = arguments.word(4, "GROUP")?.parse()?;
    let mut group = broadcast.track(arguments.word(3, "TRACK")?)?.fetch_group(sequence, None).await?;
    let mut frames = vec![];
    while let Some(frame) = group.read_frame().await? {
        frames.push(frame.payload);
    }
    std::fs::write(arguments.word(5, "FILE")?, frames.concat())?;
    println!("fetched {} frames", frames.len());
    peer.close().await;
    Ok(())
}

/// Before moq-lite-05 a subscription is refused only after it has begun for this library.
async fn refused(arguments: &Arguments) -> anyhow::Result<()> {
    let (peer, broadcast) = find(arguments).await?;
    let subscribed = broadcast.track(arguments.word(3, "TRACK")?)?.subscribe(None).await;
    let error = match subscribed {
        Err(error) => error,
        Ok(mut track) => match track.recv_group().await {
            Err(error) => error,
            Ok(group) => bail!("not refused: {}", if group.is_some() { "a group" } else { "an empty track" }),
        },
    };
    println!("refused {error:?}");
    peer.close().await;
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut log = moq_tokio::Log::default();
    log.level = "warn".parse()?;
    log.init()?;
    let arguments = Arguments::read()?;
    match arguments.word(0, "the command")? {
        "publish" => publish(&arguments).await,
        "watch" => watch(&arguments).await,
        "announcements" => announcements(&arguments).await,
        "fetch" => fetch(&arguments).await,
        "refused" => refused(&arguments).await,
        other => bail!("there is no command {other}"),
    }
}
