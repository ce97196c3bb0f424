//! `command/1`: a program of the user's as a mask. The only kind that does input and output.
//!
//! # Protocol
//!
//! The program reads lines on standard input and answers each with one line on standard output, in order. A line with
//! nothing in it ends a batch: it is answered with an empty line, and by then all answers must have been written
//! (flushed). The end of input ends the program.
//!
//! | `format` | asked | answered |
//! |---|---|---|
//! | `json` | `{"value":"…","seed":"…"}`, one object a line | a string, a whole number, or `null` |
//! | `csv` | `"value","seed"` (RFC 4180; quoted fields may hold line ends) | one field; it is quoted if it is empty or holds quotes, commas or line ends |
//!
//! `seed` is 32 hex digits that depend on the key, the label and the value, and on nothing else: the only randomness that
//! keeps masks stable. NULL, empty and blank values are not asked for; they stay.
//!
//! ```python
//! for line in sys.stdin:
//!     if line == "\n":
//!         print(flush=True)
//!     else:
//!         asked = json.loads(line)
//!         print(json.dumps("staging-" + asked["seed"][:8]))
//! ```
//!
//! # Processes
//!
//! One for each thread that masks, started when it is first needed, without a shell, in a process group of its own, with
//! `PATH` and `LANG` as its whole environment. What it prints on standard error may hold values, so it goes nowhere unless
//! the policy says `stderr = "show"`. A process that ends before it has answered is started again and asked for the whole
//! batch, `restarts` times for each column; one that takes longer than `timeout` for a batch is killed, and the run stops.

use super::canon::is_blank;
use super::column::{ColumnMask, Compile, CompileError, Leaves, MaskError, Rows};
use super::key::DomainKey;
use super::kind::{Domain, Param};
use super::leaf::{TEXT, TextBuilder, view_values};
use super::quantity::canonical_integer;
use super::temporal::{push_date, read_day};
use super::token::Purpose;
use super::{Injective, Kind, Shape, Takes, chars, csv};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Date32Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(super) static COMMAND: Kind = Kind {
    name: "command",
    summary: "Asks a program of yours for every mask, over lines on its standard input and output",
    params: &[
        Param {
            name: "command",
            summary: "the program, with its path (relative to the configuration), and its arguments; no shell",
            domain: Domain::Texts,
            default: "required",
        },
        Param {
            name: "format",
            summary: "of the lines: {\"value\":\"…\",\"seed\":\"…\"} and a JSON string back, or \"value\",\"seed\" and a CSV field back",
            domain: Domain::OneOf(&["json", "csv"]),
            default: "json",
        },
        Param {
            name: "timeout",
            summary: "longest time for one batch",
            domain: Domain::Integer { min: 1, max: 3600, unit: "seconds" },
            default: "60",
        },
        Param {
            name: "restarts",
            summary: "how often a program that ended in a batch is started again, for each column",
            domain: Domain::Integer { min: 0, max: 1000, unit: "times" },
            default: "3",
        },
        Param {
            name: "stderr",
            summary: "what becomes of its standard error, which may hold values: nothing, or shown as it comes",
            domain: Domain::OneOf(&["discard", "show"]),
            default: "discard",
        },
    ],
    accepts: &[Takes::Text, Takes::Integer, Takes::Date, Takes::Json],
    injective: Injective::No,
    samples: &["bob@example.com"],
    remains: |_| super::Remains::Foreign,
    compile,
    ..TEXT
};

/// Longest line of a program; a value of PostgreSQL is at most 1 GiB, and nobody masks that by a program.
const LINE_MAX: u64 = 64 << 20;
/// Answers that wait to be read.
const WAITING: usize = 64;
/// How long a program may take to end after its last batch.
const GOODBYE: Duration = Duration::from_millis(500);
/// Where programs without a path of their own are found by those that need them, such as `env`.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let words = compile.spec.params.get("command").and_then(Value::as_array);
    let words: Vec<String> = words.into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect();
    let Some(program) = words.first() else {
        return Err(compile.bad_param("command", "a list: a program with its path, and its arguments"));
    };
    if !program.contains('/') {
        return Err(compile.bad_param("command", "a program with its path, such as [\"./mask.py\"]"));
    }
    let runs = std::fs::metadata(program).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    if !runs {
        return Err(compile.bad_param("command", &format!("a program that can be run, and {program} is none")));
    }
    if matches!(compile.shape, Shape::Composite(_) | Shape::Hstore) {
        return Err(compile.wrong_shape());
    }
    Ok(Box::new(Program {
        words,
        key: compile.realm.domain("command/1", &compile.spec.label),
        shape: compile.shape.clone(),
        csv: compile.word("format") == Some("csv"),
        timeout: Duration::from_secs(compile.number("timeout").map_or(60, i64::unsigned_abs)),
        restarts_left: AtomicU32::new(compile.number("restarts").map_or(3, |times| times as u32)),
        shown: compile.word("stderr") == Some("show"),
        idle: Mutex::default(),
    }))
}

/// The program of a column, and its processes that wait for work.
struct Program {
    words: Vec<String>,
    key: DomainKey,
    shape: Shape,
    csv: bool,
    timeout: Duration,
    restarts_left: AtomicU32,
    shown: bool,
    idle: Mutex<Vec<Process>>,
}

/// One value to mask, with its row.
type Asked<'v> = (&'v str, usize);

/// Why a batch was not answered.
enum Trouble {
    Ended,
    Late,
    Cannot(MaskError),
}

impl Program {
    /// Asks for the masks of values, in order; none is NULL.
    fn ask(&self, values: &[Asked<'_>]) -> Result<Vec<Option<String>>, MaskError> {
        let Some((first, last)) = values.first().zip(values.last()) else { return Ok(Vec::new()) };
        let (first, last) = (first.1, last.1);
        let failed = |what: &str| {
            MaskError::of_program(first, format!("its program {what}; asked for rows {first} to {last} of the batch"))
        };
        let lines = self.lines(values);
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let process = match idle {
                Some(process) => Ok(process),
                None => Process::start(&self.words, self.shown),
            };
            let mut process = process.map_err(|error| failed(&format!("cannot be started ({})", error.kind())))?;
            match self.exchange(&mut process, &lines, values) {
                Ok(answers) => {
                    self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process);
                    return Ok(answers);
                }
                Err(Trouble::Cannot(error)) => return Err(error),
                Err(Trouble::Late) => {
                    return Err(failed(&format!("did not answer within {} s", self.timeout.as_secs())));
                }
                Err(Trouble::Ended) => {
                    let less = |left: u32| left.checked_sub(1);
                    let left = self.restarts_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
                    if left.is_err() {
                        return Err(failed("ended before it had answered, too often to be started again"));
                    }
                }
            }
        }
    }

    fn lines(&self, values: &[Asked<'_>]) -> Vec<u8> {
        let mut lines = String::with_capacity(values.iter().map(|(value, _)| value.len() + 64).sum());
        for (value, _) in values {
            let mut seed = String::with_capacity(32);
            for byte in &self.key.hash(Purpose::Tag, value.as_bytes())[..16] {
                let _ = write!(seed, "{byte:02x}");
            }
            let _ = if self.csv {
                writeln!(lines, "\"{}\",\"{seed}\"", value.replace('"', "\"\""))
            } else {
                writeln!(lines, "{{\"value\":{},\"seed\":\"{seed}\"}}", Value::from(*value))
            };
        }
        lines.push('\n');
        lines.into_bytes()
    }

    /// Sends one batch and reads its answers.
    fn exchange(
        &self,
        process: &mut Process,
        lines: &[u8],
        values: &[Asked<'_>],
    ) -> Result<Vec<Option<String>>, Trouble> {
        let until = Instant::now() + self.timeout;
        process.send(lines.to_vec())?;
        let mut answers = Vec::with_capacity(values.len());
        loop {
            let mut line = process.line(until)?;
            // A quoted field goes on in the next line.
            while self.csv && line.matches('"').count() % 2 == 1 {
                line.push('\n');
                line.push_str(&process.line(until)?);
            }
            if line.is_empty() {
                break;
            }
            let Some((_, row)) = values.get(answers.len()) else {
                return Err(wrong(values, answers.len(), "gave more answers than it was asked for"));
            };
            let Some(answer) = self.read(&line) else {
                let what = if self.csv {
                    "gave a line that is not one CSV field"
                } else {
                    "gave a line that is no JSON string"
                };
                return Err(Trouble::Cannot(MaskError::of_program(*row, format!("its program {what}"))));
            };
            answers.push(answer);
        }
        if answers.len() < values.len() {
            let what = format!("gave {} answers to {} values", answers.len(), values.len());
            return Err(wrong(values, answers.len(), &what));
        }
        Ok(answers)
    }

    /// Reads an answer; none if it is not in the format.
    fn read(&self, line: &str) -> Option<Option<String>> {
        if self.csv {
            let mut records = csv::parse(line).ok()?;
            // A quoted empty field is no record to a reader of files.
            return match (records.pop(), records.is_empty()) {
                (None, _) => Some(Some(String::new())),
                (Some(mut record), true) if record.len() == 1 => Some(record.pop()),
                _ => None,
            };
        }
        match serde_json::from_str(line).ok()? {
            Value::Null => Some(None),
            Value::String(text) => Some(Some(text)),
            Value::Number(number) if number.is_i64() => Some(Some(number.to_string())),
            _ => None,
        }
    }

    /// Masks texts; appends one value to `out` for each.
    fn texts<'v>(
        &self,
        values: impl Iterator<Item = (Option<&'v str>, usize)>,
        out: &mut TextBuilder,
    ) -> Result<(), MaskError> {
        let (chars_max, padded) = match self.shape {
            Shape::Text { chars_max, padded } => (chars_max, padded),
            _ => (None, false),
        };
        let values: Vec<(Option<&str>, usize)> =
            values.map(|(value, row)| (value.map(|v| if padded { v.trim_end_matches(' ') } else { v }), row)).collect();
        let asked: Vec<Asked<'_>> = values
            .iter()
            .filter_map(|(value, row)| Some(((*value)?, *row)))
            .filter(|(value, _)| !is_blank(value))
            .collect();
        let mut answers = self.ask(&asked)?.into_iter();
        for (value, row) in values {
            let masked = match value {
                Some(value) if is_blank(value) => Some(value.to_owned()),
                Some(_) => answers.next().flatten(),
                None => None,
            };
            let refuse = |what: &str| Err(MaskError::of_program(row, format!("its program gave {what}")));
            if let Some(masked) = &masked {
                if chars_max.is_some_and(|max| chars(masked) > max) {
                    return refuse("a longer text than the column takes");
                }
                if masked.contains('\0') {
                    return refuse("a text with the character U+0000");
                }
                let json = matches!(self.shape, Shape::Json | Shape::Jsonb);
                if json && serde_json::from_str::<serde::de::IgnoredAny>(masked).is_err() {
                    return refuse("what is no JSON document");
                }
                out.values.push_str(masked);
            }
            out.close(masked.is_some())?;
        }
        Ok(())
    }

    /// Masks numbers and dates, which are asked for as text.
    fn primitives<T: ArrowPrimitiveType>(
        &self,
        column: &ArrayRef,
        show: impl Fn(T::Native) -> String,
        read: impl Fn(&str) -> Option<T::Native>,
    ) -> Result<ArrayRef, MaskError> {
        let wrong = || MaskError::at(0, "the column was decoded in another shape than its mask was compiled for");
        let column = column.as_primitive_opt::<T>().ok_or_else(wrong)?;
        let shown: Vec<(String, usize)> =
            (0..column.len()).filter(|row| column.is_valid(*row)).map(|row| (show(column.value(row)), row)).collect();
        let asked: Vec<Asked<'_>> = shown.iter().map(|(text, row)| (text.as_str(), *row)).collect();
        let mut masked: Vec<Option<T::Native>> = vec![None; column.len()];
        for ((_, row), answer) in asked.iter().zip(self.ask(&asked)?) {
            let Some(answer) = answer else { continue };
            let refuse = || MaskError::of_program(*row, "its program gave what the type of the column does not take");
            masked[*row] = Some(read(&answer).ok_or_else(refuse)?);
        }
        Ok(Arc::new(PrimitiveArray::<T>::from_iter(masked)))
    }
}

/// An error at the value whose answer is wrong, or missing.
fn wrong(values: &[Asked<'_>], at: usize, what: &str) -> Trouble {
    let row = values.get(at).or(values.last()).map_or(0, |value| value.1);
    Trouble::Cannot(MaskError::of_program(row, format!("its program {what}")))
}

impl ColumnMask for Program {
    fn apply(&self, column: &ArrayRef, _rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        match self.shape {
            Shape::Int2 => self.primitives::<Int16Type>(column, |n| n.to_string(), |text| text.trim().parse().ok()),
            Shape::Int4 => self.primitives::<Int32Type>(column, |n| n.to_string(), |text| text.trim().parse().ok()),
            Shape::Int8 => self.primitives::<Int64Type>(column, |n| n.to_string(), |text| text.trim().parse().ok()),
            Shape::Date => self.primitives::<Date32Type>(column, show_day, |text| match text.trim() {
                "infinity" => Some(i32::MAX),
                "-infinity" => Some(i32::MIN),
                text => read_day(text),
            }),
            _ => {
                let texts = column.as_string_view_opt().ok_or_else(|| {
                    MaskError::at(0, "the column was decoded in another shape than its mask was compiled for")
                })?;
                let mut out = TextBuilder::new(texts.len(), texts.total_bytes_len());
                self.texts(view_values(texts), &mut out)?;
                out.finish()
            }
        }
    }

    fn text(&self, value: &str, row: usize, _rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        let mut masked = TextBuilder::new(1, value.len());
        self.texts(std::iter::once((Some(value), row)), &mut masked)?;
        out.push_str(masked.value(0));
        Ok(())
    }

    fn leaves(&self, leaves: &Leaves, _rows: &Rows<'_>, out: &mut TextBuilder) -> Result<(), MaskError> {
        self.texts(leaves.iter().map(|(value, row)| (Some(value), row)), out)
    }

    fn integer(&self, value: i64, row: usize, _rows: &Rows<'_>) -> Result<Option<i64>, MaskError> {
        let answer = self.ask(&[(&value.to_string(), row)])?.pop().flatten();
        let number = answer.and_then(|text| canonical_integer(text.trim()));
        number.map(Some).ok_or_else(|| MaskError::of_program(row, "its program gave no whole number for one"))
    }
}

fn show_day(days: i32) -> String {
    let mut shown = String::new();
    match days {
        i32::MAX => shown.push_str("infinity"),
        i32::MIN => shown.push_str("-infinity"),
        days => push_date(days.into(), &mut shown),
    }
    shown
}

/// A running program. Writing and reading have threads of their own, so that neither side waits for a full pipe.
struct Process {
    child: Child,
    /// None once nothing more will be asked.
    input: Option<SyncSender<Vec<u8>>>,
    output: Receiver<String>,
}

impl Process {
    fn start(words: &[String], shown: bool) -> std::io::Result<Self> {
        let mut command = Command::new(words.first().map_or("", String::as_str));
        command.args(words.get(1..).unwrap_or_default());
        command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(if shown { Stdio::inherit() } else { Stdio::null() });
        let mut child = command.spawn()?;
        let (input, batches) = sync_channel::<Vec<u8>>(1);
        let (answers, output) = sync_channel::<String>(WAITING);
        if let Some(stdin) = child.stdin.take() {
            std::thread::Builder::new().name("program in".to_owned()).spawn(move || write(stdin, &batches))?;
        }
        if let Some(stdout) = child.stdout.take() {
            std::thread::Builder::new().name("program out".to_owned()).spawn(move || read(stdout, &answers))?;
        }
        Ok(Self { child, input: Some(input), output })
    }

    fn send(&self, lines: Vec<u8>) -> Result<(), Trouble> {
        self.input.as_ref().ok_or(Trouble::Ended)?.send(lines).map_err(|_| Trouble::Ended)
    }

    /// The next line without its end.
    fn line(&self, until: Instant) -> Result<String, Trouble> {
        self.output.recv_timeout(until.saturating_duration_since(Instant::now())).map_err(|error| match error {
            RecvTimeoutError::Timeout => Trouble::Late,
            RecvTimeoutError::Disconnected => Trouble::Ended,
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its input ends a program that is well; whatever it has started goes with it.
        self.input = None;
        let until = Instant::now() + GOODBYE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Hands batches to the program until there are no more, or it reads no more.
fn write(mut stdin: ChildStdin, batches: &Receiver<Vec<u8>>) {
    while let Ok(lines) = batches.recv() {
        if stdin.write_all(&lines).and_then(|()| stdin.flush()).is_err() {
            return;
        }
    }
}

/// Reads lines until the program ends, or nobody waits for them; one that is not UTF-8, or too long, counts as its end.
fn read(stdout: ChildStdout, answers: &SyncSender<String>) {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    loop {
        line.clear();
        match stdout.by_ref().take(LINE_MAX).read_until(b'\n', &mut line) {
            Ok(_) if line.last() == Some(&b'\n') => {
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                let Ok(text) = String::from_utf8(std::mem::take(&mut line)) else { return };
                if answers.send(text).is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests;
