//! A client of the generation before: moq-net 0.2 over quinn. See arguments.rs for its command line.
#[path = "../../shared/arguments.rs"]
mod arguments;
#[path = "../../shared/peer.rs"]
mod peer;

use anyhow::{Context, bail};
use arguments::{Arguments, Film, told_to_leave};
use moq_net::{Origin, broadcast, track};
use peer::{Groups, MAX_AGE};
use std::time::Duration;
use tokio::time::timeout;

async fn connect(arguments: &Arguments, role: impl FnOnce(moq_native::Client) -> moq_native::Client) -> anyhow::Result<moq_net::Session> {
    let mut config = moq_native::ClientConfig::default();
    config.tls.fingerprint = arguments.option("fingerprint")?.into_iter().collect();
    config.version = arguments.option("version")?.into_iter().collect();
    let client = role(config.init()?);
    let url = arguments.word(1, "URL")?.parse()?;
    let session = timeout(Duration::from_secs(15), client.connect(url))
        .await
        .context("no session")??;
    println!("version {}", session.version());
    Ok(session)
}

async fn publish(arguments: &Arguments) -> anyhow::Result<()> {
    let film = Film::read(arguments, arguments.word(4, "FILE")?)?;
    let origin = Origin::random().produce();
    let mut broadcast = origin.create_broadcast(arguments.word(2, "BROADCAST")?, broadcast::Route::announced())?;
    let mut track = broadcast.create_track(arguments.word(3, "TRACK")?, track::Info::default().with_latency_max(MAX_AGE))?;
    let session = connect(arguments, |client| client.with_publisher(&origin)).await?;
    peer::write(arguments, &mut track, &film).await?;
    told_to_leave().await;
    broadcast.finish();
    tokio::time::sleep(Duration::from_millis(300)).await; // Dropping the session would be quicker than the un-announcement.
    drop(session);
    Ok(())
}

/// A session that subscribes, and a broadcast once it is announced.
async fn find(arguments: &Arguments) -> anyhow::Result<(moq_net::Session, broadcast::Consumer)> {
    let origin = Origin::random().produce();
    let session = connect(arguments, |client| client.with_subscriber(origin.clone())).await?;
    let consumer = origin.consume();
    let broadcast = consumer.announced_broadcast(arguments.word(2, "BROADCAST")?);
    let found = timeout(Duration::from_secs(20), broadcast).await.context("it is not announced")?;
    Ok((session, found.context("no more announcements")?))
}

async fn watch(arguments: &Arguments) -> anyhow::Result<()> {
    let (_session, broadcast) = find(arguments).await?;
    let everything = track::Subscription::default().with_latency_max(MAX_AGE).with_group_start(0);
    let subscription = if arguments.has("defaults") { None } else { Some(everything) };
    let mut track = broadcast.track(arguments.word(3, "TRACK")?)?.subscribe(subscription).await?;
    println!("subscribed");
    let size: Option<usize> = arguments.option("size")?;
    let mut groups = Groups::default();
    let mut bytes = 0;
    loop {
        let mut group = match track.recv_group().await {
            Ok(Some(group)) => group,
            Ok(None) => break,
            Err(_) if size == Some(bytes) => break, // It has read the end of the broadcast before that of the track.
            Err(error) => return Err(error).context("the track"),
        };
        let content = groups.of(group.sequence);
        while let Some(frame) = group.read_frame().await.with_context(|| format!("group {}", group.sequence))? {
            content.extend_from_slice(&frame.payload);
            bytes += frame.payload.len();
        }
    }
    groups.save(arguments.word(4, "FILE")?)?;
    Ok(())
}

async fn announcements(arguments: &Arguments) -> anyhow::Result<()> {
    let origin = Origin::random().produce();
    let prefix = arguments.word(2, "PREFIX")?.into();
    let mut announced = origin.consume().scope(&[prefix]).context("not allowed")?.announced();
    let session = connect(arguments, |client| client.with_subscriber(origin.clone())).await?;
    let follow = async {
        while let Some(update) = announced.next().await {
            println!(
                "{} {}",
                if update.broadcast.is_some() { "announced" } else { "unannounced" },
                update.path
            );
        }
    };
    tokio::select! {
        _ = follow => bail!("no more announcements"),
        reason = session.closed() => println!("closed {reason:?}"),
        _ = told_to_leave() => {}
    }
    Ok(())
}

async fn fetch(arguments: &Arguments) -> anyhow::Result<()> {
    let (_session, broadcast) = find(arguments).await?;
    peer::fetch(arguments, &broadcast).await?;
    Ok(())
}

async fn refused(arguments: &Arguments) -> anyhow::Result<()> {
    let (_session, broadcast) = find(arguments).await?;
    peer::refused(arguments, &broadcast).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut log = moq_native::Log::default();
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
