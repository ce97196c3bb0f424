//! The one way to standard error: lines that do not tear progress bars, and the buffered story of `--cron`.

use anstream::{AutoStream, ColorChoice};
use indicatif::{MultiProgress, ProgressDrawTarget};
use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

/// How often bars are drawn. Ten times a second looks smooth and costs nothing.
pub(super) const DRAW_HZ: u8 = 10;

/// Where lines for people go.
pub(super) struct Console {
    output: Output,
    /// Standard error shows color.
    pub color: bool,
}

enum Output {
    /// Standard error, with bars drawn below the lines.
    Bars(MultiProgress),
    /// Standard error, or a file or pipe behind it.
    Lines,
    /// Kept until [`Console::tell_story`].
    Story(Mutex<Story>),
}

impl Console {
    /// Opens standard error: with `story` lines are kept back, with `bars` and a terminal there may be bars.
    pub fn new(bars: bool, story: bool) -> Self {
        let stderr = io::stderr();
        let color = AutoStream::choice(&stderr) != ColorChoice::Never;
        let output = if story {
            Output::Story(Mutex::default())
        } else if bars && stderr.is_terminal() {
            Output::Bars(MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(DRAW_HZ)))
        } else {
            Output::Lines
        };
        Self { output, color }
    }

    /// The bars, if there may be any.
    pub fn bars(&self) -> Option<&MultiProgress> {
        match &self.output {
            Output::Bars(bars) => Some(bars),
            Output::Lines | Output::Story(_) => None,
        }
    }

    /// Columns of the terminal behind standard error.
    pub fn width(&self) -> Option<u16> {
        rustix::termios::tcgetwinsize(io::stderr()).ok().map(|size| size.ws_col).filter(|width| *width > 0)
    }

    /// Prints a line, or keeps it for the story. A closed standard error is not an error of ours.
    pub fn line(&self, text: &str) {
        match &self.output {
            Output::Bars(bars) => bars.suspend(|| write_line(text)),
            Output::Lines => write_line(text),
            Output::Story(story) => story.lock().unwrap_or_else(PoisonError::into_inner).push(text),
        }
    }

    /// Prints what was kept back, once; nothing without a story.
    pub fn tell_story(&self) {
        if let Output::Story(story) = &self.output {
            let story = std::mem::take(&mut *story.lock().unwrap_or_else(PoisonError::into_inner));
            if story.lines_dropped > 0 {
                write_line(&format!("… {} earlier lines left out", story.lines_dropped));
            }
            for line in story.lines {
                write_line(&line);
            }
        }
    }
}

#[cfg(test)]
impl Console {
    /// What was kept back so far.
    pub fn story(&self) -> String {
        let Output::Story(story) = &self.output else { return String::new() };
        let story = story.lock().unwrap_or_else(PoisonError::into_inner);
        story.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

fn write_line(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = stderr.write_all(b"\n");
    }
}

/// The last lines of a run, within [`STORY_BYTES_MAX`].
#[derive(Default)]
struct Story {
    lines: VecDeque<String>,
    bytes: usize,
    lines_dropped: u64,
}

/// A night with `-v` is a few hundred kilobytes; a mail of more than 4 MiB would not be delivered anyway.
const STORY_BYTES_MAX: usize = 4 << 20;

impl Story {
    fn push(&mut self, text: &str) {
        self.bytes += text.len();
        self.lines.push_back(text.to_owned());
        while self.bytes > STORY_BYTES_MAX && self.lines.len() > 1 {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.len());
            self.lines_dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_story_keeps_its_end_and_says_what_it_left_out() {
        let mut story = Story::default();
        let line = "x".repeat(1 << 20);
        for _ in 0..6 {
            story.push(&line);
        }
        story.push("the end");
        assert!(story.bytes <= STORY_BYTES_MAX);
        assert_eq!(story.lines.back().map(String::as_str), Some("the end"));
        assert_eq!(story.lines_dropped, 3);
    }
}
