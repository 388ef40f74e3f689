//! The command line, which is the same for every native peer of these tests:
//!
//!     publish URL BROADCAST TRACK FILE [--frame-size N] [--group-frames N] [--rate BYTES] [--hold]
//!     watch URL BROADCAST TRACK FILE [--defaults]
//!     announcements URL PREFIX
//!     fetch URL BROADCAST TRACK GROUP FILE
//!     refused URL BROADCAST TRACK
//!
//! All take --fingerprint SHA256 and --version NAME (otherwise the library's own list is offered). `publish` writes once somebody has
//! subscribed and ends the track; with --hold it writes at once, and the track stays open. It and `announcements` leave when standard input
//! ends. Standard output has one fact per line, the version first.
use anyhow::Context;
use std::{collections::HashMap, str::FromStr, time::Duration};

pub struct Arguments {
    words: Vec<String>,
    options: HashMap<String, String>,
}

impl Arguments {
    pub fn read() -> anyhow::Result<Self> {
        let (mut words, mut options) = (vec![], HashMap::new());
        let mut all = std::env::args().skip(1);
        while let Some(word) = all.next() {
            match word.strip_prefix("--") {
                None => words.push(word),
                Some(flag @ ("hold" | "defaults")) => drop(options.insert(flag.into(), String::new())),
                Some(name) => drop(options.insert(name.into(), all.next().with_context(|| format!("--{name} takes a value"))?)),
            }
        }
        Ok(Self { words, options })
    }

    pub fn word(&self, index: usize, name: &str) -> anyhow::Result<&str> {
        self.words
            .get(index)
            .map(String::as_str)
            .with_context(|| format!("{name} is missing"))
    }

    pub fn has(&self, flag: &str) -> bool {
        self.options.contains_key(flag)
    }

    pub fn option<T: FromStr>(&self, name: &str) -> anyhow::Result<Option<T>> {
        let parse = |text: &String| text.parse().ok().with_context(|| format!("--{name} cannot be {text}"));
        self.options.get(name).map(parse).transpose()
    }
}

/// A file as groups of frames, each of them due at a time after the first.
pub struct Film {
    content: Vec<u8>,
    frame_size: usize,
    group_frames: usize,
    rate: f64,
}

impl Film {
    pub fn read(arguments: &Arguments, path: &str) -> anyhow::Result<Self> {
        Ok(Self {
            content: std::fs::read(path).with_context(|| path.to_owned())?,
            frame_size: arguments.option("frame-size")?.unwrap_or(16384),
            group_frames: arguments.option("group-frames")?.unwrap_or(32),
            rate: arguments.option("rate")?.unwrap_or(f64::INFINITY),
        })
    }

    pub fn groups(&self) -> impl Iterator<Item = impl Iterator<Item = (Duration, Vec<u8>)>> {
        let group_size = self.frame_size * self.group_frames;
        self.content.chunks(group_size).enumerate().map(move |(number, group)| {
            let due = move |index| Duration::from_secs_f64((number * group_size + index * self.frame_size) as f64 / self.rate);
            group
                .chunks(self.frame_size)
                .enumerate()
                .map(move |(index, frame)| (due(index), frame.to_vec()))
        })
    }
}

/// Returns when standard input has ended.
pub async fn told_to_leave() {
    let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
}
