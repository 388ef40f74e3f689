//! The newest moq-net, over native QUIC or WebTransport. See arguments.rs for its command line, and server.rs for its servers.
#[path = "../../shared/arguments.rs"]
mod arguments;
#[path = "../../shared/peer.rs"]
mod peer;
mod server;

use anyhow::{Context, bail};
use arguments::{Arguments, Film, told_to_leave};
use moq_net::{announce, broadcast, origin, track};
use peer::{Groups, MAX_AGE};
use std::time::Duration;
use tokio::time::timeout;

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

async fn publish(arguments: &Arguments) -> anyhow::Result<()> {
    let film = Film::read(arguments, arguments.word(4, "FILE")?)?;
    let origin = moq_tokio::origin::spawn();
    let broadcast = origin.create_broadcast(arguments.word(2, "BROADCAST")?)?;
    let mut track = broadcast.create_track(arguments.word(3, "TRACK")?, track::Info::default().with_max_age(MAX_AGE))?;
    broadcast.announce(Default::default())?;
    let peer = Peer::connect(arguments, |client| client.with_publisher(&origin)).await?;
    peer::write(arguments, &mut track, &film).await?;
    told_to_leave().await;
    broadcast.close();
    peer.close().await;
    Ok(())
}

/// A session that subscribes, and a broadcast once it is announced.
async fn find(arguments: &Arguments) -> anyhow::Result<(Peer, broadcast::Consumer)> {
    let origin = moq_tokio::origin::spawn();
    let peer = Peer::connect(arguments, |client| client.with_subscriber(origin.clone())).await?;
    Ok((peer, announced(arguments, &origin).await?))
}

async fn announced(arguments: &Arguments, origin: &origin::Producer) -> anyhow::Result<broadcast::Consumer> {
    let consumer = origin.consume();
    let broadcast = consumer.routed_broadcast(arguments.word(2, "BROADCAST")?);
    Ok(timeout(Duration::from_secs(20), broadcast).await.context("it is not announced")??)
}

async fn watch(arguments: &Arguments) -> anyhow::Result<()> {
    let (peer, broadcast) = find(arguments).await?;
    collect(arguments, &broadcast).await?;
    peer.close().await;
    Ok(())
}

/// Writes the track into the file: all of it, or --enough bytes and what is left of their last group.
async fn collect(arguments: &Arguments, broadcast: &broadcast::Consumer) -> anyhow::Result<()> {
    let everything = track::Subscription::default().with_max_age(MAX_AGE).with_groups(0..);
    let subscription = if arguments.has("defaults") { None } else { Some(everything) };
    let mut track = broadcast.track(arguments.word(3, "TRACK")?)?.subscribe(subscription).await?;
    println!("subscribed");
    let mut groups = Groups::default();
    let (mut total, enough) = (0, arguments.option("enough")?.unwrap_or(usize::MAX));
    while let Some(mut group) = track.recv_group().await.context("the track")? {
        let content = groups.of(group.sequence);
        while let Some(frame) = group.read_frame().await.with_context(|| format!("group {}", group.sequence))? {
            content.extend_from_slice(&frame.payload);
            total += frame.payload.len();
        }
        if total >= enough {
            break;
        }
    }
    groups.save(arguments.word(4, "FILE")?)?;
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
    peer::fetch(arguments, &broadcast).await?;
    peer.close().await;
    Ok(())
}

async fn refused(arguments: &Arguments) -> anyhow::Result<()> {
    let (peer, broadcast) = find(arguments).await?;
    peer::refused(arguments, &broadcast).await?;
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
        "serve" => server::serve(&arguments).await,
        "collect" => server::collect(&arguments).await,
        "relay" => server::relay(&arguments).await,
        other => bail!("there is no command {other}"),
    }
}
