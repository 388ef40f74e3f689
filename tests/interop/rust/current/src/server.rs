//! Servers of this library, with --certificate FILE and --key FILE:
//!
//!     serve ADDRESS BROADCAST TRACK FILE       publishes to everyone, until standard input ends
//!     collect ADDRESS BROADCAST TRACK FILE     watches what a client announces
//!     relay ADDRESS                            one origin for all that connect
use crate::{
    announced,
    arguments::{Arguments, Film, told_to_leave},
    peer::{self, MAX_AGE},
};
use moq_net::track;

fn server(arguments: &Arguments) -> anyhow::Result<moq_tokio::Server> {
    let mut config = moq_tokio::listen::Config::default();
    config.bind = Some(arguments.word(1, "ADDRESS")?.parse()?);
    config.tls.cert = arguments.option("certificate")?.into_iter().collect();
    config.tls.key = arguments.option("key")?.into_iter().collect();
    config.version = arguments.option("version")?.into_iter().collect();
    Ok(config.init(Default::default())?)
}

pub async fn serve(arguments: &Arguments) -> anyhow::Result<()> {
    let film = Film::read(arguments, arguments.word(4, "FILE")?)?;
    let origin = moq_tokio::origin::spawn();
    let broadcast = origin.create_broadcast(arguments.word(2, "BROADCAST")?)?;
    let mut track = broadcast.create_track(arguments.word(3, "TRACK")?, track::Info::default().with_max_age(MAX_AGE))?;
    broadcast.announce(Default::default())?;
    tokio::spawn(server(arguments)?.serve_publish(origin.consume()));
    peer::write(arguments, &mut track, &film).await?;
    told_to_leave().await;
    Ok(())
}

pub async fn collect(arguments: &Arguments) -> anyhow::Result<()> {
    let origin = moq_tokio::origin::spawn();
    tokio::spawn(server(arguments)?.serve_consume(origin.clone()));
    crate::collect(arguments, &announced(arguments, &origin).await?).await
}

pub async fn relay(arguments: &Arguments) -> anyhow::Result<()> {
    let origin = moq_tokio::origin::spawn();
    tokio::spawn(server(arguments)?.serve_both(origin.consume(), origin.clone()));
    told_to_leave().await;
    Ok(())
}
