//! The arguments of `strowger phone`.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use strowger_sip::command::Credentials;

use super::behaviour::{self, Answer, Behaviour, Hold, Press, Record, Say};
use super::{PhoneConfig, RTP_PORTS, read_wav};

/// A test phone: calls, or waits for calls. It prints one JSON object a line for each thing that
/// happens.
#[derive(Args, Debug, Clone)]
pub struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand, Debug, Clone)]
pub(super) enum Command {
    /// Call a SIP URI, such as sip:+441632960001@127.0.0.1:5060
    Call(Call),
    /// Wait for calls
    Wait(Wait),
}

#[derive(Args, Debug, Clone)]
pub(super) struct Call {
    /// Whom to call
    #[arg(value_name = "SIP-URI")]
    pub(super) to: String,
    /// The number (+44…) or SIP URI that calls
    #[arg(long, value_name = "NUMBER")]
    pub(super) from: Option<String>,
    /// User name, when the far end asks for one
    #[arg(long, requires = "password")]
    username: Option<String>,
    /// Its password
    #[arg(long, requires = "username", env = "STROWGER_PHONE_PASSWORD")]
    password: Option<String>,
    /// Where to listen for SIP [default: a free port of the address that reaches the far end]
    #[arg(long, value_name = "ADDR")]
    pub(super) sip: Option<SocketAddr>,
    #[command(flatten)]
    pub(super) script: Script,
}

#[derive(Args, Debug, Clone)]
pub(super) struct Wait {
    /// Where to listen for SIP
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5070")]
    pub(super) sip: SocketAddr,
    /// Answer after so many seconds [default: 1]
    #[arg(long, value_name = "SECONDS", value_parser = behaviour::seconds)]
    answer_after: Option<Duration>,
    /// Refuse calls with this SIP status
    #[arg(long, value_name = "STATUS", value_parser = behaviour::refusal, conflicts_with = "answer_after")]
    refuse: Option<u16>,
    /// Let calls ring for ever
    #[arg(long, conflicts_with_all = ["answer_after", "refuse"])]
    never_answer: bool,
    /// End after so many calls [default: never]
    #[arg(long, value_name = "CALLS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) calls: Option<u64>,
    #[command(flatten)]
    pub(super) script: Script,
}

/// What both do in a call.
#[derive(Args, Debug, Clone)]
pub(super) struct Script {
    /// Press keys so many seconds after the answer (1@3), or when the far end pauses (1@pause)
    #[arg(long, value_name = "KEYS@WHEN")]
    press: Vec<Press>,
    /// Say a tone of so many hertz
    #[arg(long, value_name = "HERTZ", value_parser = behaviour::hertz)]
    tone: Option<u16>,
    /// Say a WAV file
    #[arg(long, value_name = "FILE", conflicts_with = "tone")]
    say: Option<PathBuf>,
    /// Put the far end on hold from and until so many seconds after the answer (2-5)
    #[arg(long, value_name = "FROM-UNTIL")]
    hold: Option<Hold>,
    /// Hang up so many seconds after the answer
    #[arg(long, value_name = "SECONDS", value_parser = behaviour::seconds)]
    hang_up_after: Option<Duration>,
    /// Write what is heard to a WAV file; of several calls, the later ones get their number before
    /// its ending
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Ports for RTP and RTCP
    #[arg(long, value_name = "FIRST-LAST", value_parser = ports)]
    rtp: Option<RangeInclusive<u16>>,
    /// The address that peers are told, when it isn't the one listened on
    #[arg(long, value_name = "IP")]
    advertise: Option<IpAddr>,
}

impl Script {
    /// What the phone does in a call.
    pub(super) fn behaviour(&self) -> anyhow::Result<Behaviour> {
        let say = match (self.tone, &self.say) {
            (Some(hertz), _) => Say::Tone(hertz),
            (None, Some(path)) => Say::Sound(read_wav(path)?),
            (None, None) => Say::Nothing,
        };
        Ok(Behaviour {
            answer: Answer::default(),
            press: self.press.clone(),
            say,
            hold: self.hold,
            hang_up_after: self.hang_up_after,
            record: self.record.clone().map_or(Record::Tones, Record::File),
        })
    }

    pub(super) fn config(&self, sip: SocketAddr) -> PhoneConfig {
        PhoneConfig {
            sip,
            advertise: self.advertise,
            rtp: self.rtp.clone().unwrap_or(RTP_PORTS),
        }
    }
}

impl Call {
    pub(super) fn credentials(&self) -> Option<Credentials> {
        Some(Credentials {
            username: self.username.clone()?,
            password: self.password.clone()?,
        })
    }
}

impl Wait {
    /// What becomes of a call that comes in.
    pub(super) fn answer(&self) -> Answer {
        match (self.refuse, self.answer_after, self.never_answer) {
            (Some(status), _, _) => Answer::Refuse(status),
            (None, _, true) => Answer::Never,
            (None, delay, false) => Answer::After(delay.unwrap_or(Duration::from_secs(1))),
        }
    }
}

/// The file of the n-th call: the first one gets the name as it is.
pub(super) fn numbered(record: &Record, call: u64) -> Record {
    match record {
        Record::File(path) if call > 1 => {
            let part = |part: Option<&std::ffi::OsStr>| {
                part.map(|part| part.to_string_lossy().into_owned())
                    .unwrap_or_default()
            };
            let (stem, ending) = (part(path.file_stem()), part(path.extension()));
            let folder = path.parent().unwrap_or(Path::new(""));
            Record::File(folder.join(format!("{stem}-{call}.{ending}")))
        }
        record => record.clone(),
    }
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    text.split_once('-')
        .and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)))
        .filter(|(first, last)| *first >= 1024_u16 && *last > *first)
        .map(|(first, last)| first..=last)
        .ok_or_else(|| format!("`{text}` is not a range such as 10000-16383 (1024 or above)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser, Debug)]
    struct Phone {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(line: &str) -> Result<Command, String> {
        let words = std::iter::once("phone").chain(line.split_whitespace());
        Phone::try_parse_from(words)
            .map(|phone| phone.arguments.command)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_call_is_scripted_by_its_arguments() {
        let line = "call sip:1@h --from +441632960002 --press 1@3 --press 2#@pause --tone 600 \
                    --hold 2-5 --hang-up-after 10 --record out.wav --username u --password p";
        let Ok(Command::Call(call)) = parse(line) else {
            panic!("is a call")
        };
        let behaviour = call.script.behaviour().expect("is complete");
        let expected = Behaviour {
            press: vec![
                "1@3".parse().expect("fine"),
                "2#@pause".parse().expect("fine"),
            ],
            say: Say::Tone(600),
            hold: "2-5".parse().ok(),
            hang_up_after: Some(Duration::from_secs(10)),
            record: Record::File("out.wav".into()),
            ..Behaviour::default()
        };
        assert_eq!(behaviour, expected);
        assert_eq!(call.credentials().expect("both").username, "u");
    }

    #[test]
    fn a_waiting_phone_answers_refuses_or_rings() {
        let answer = |line: &str| match parse(line) {
            Ok(Command::Wait(wait)) => wait.answer(),
            other => panic!("{other:?}"),
        };
        assert_eq!(answer("wait"), Answer::After(Duration::from_secs(1)));
        assert_eq!(
            answer("wait --answer-after 0"),
            Answer::After(Duration::ZERO)
        );
        assert_eq!(answer("wait --refuse 486"), Answer::Refuse(486));
        assert_eq!(answer("wait --never-answer"), Answer::Never);
    }

    #[test]
    fn bad_arguments_get_clear_errors() {
        for (line, words) in [
            ("call", "<SIP-URI>"),
            ("call sip:1@h --press 1", "such as 1@3"),
            ("call sip:1@h --tone 9000", "300 to 3400 hertz"),
            ("call sip:1@h --tone 600 --say a.wav", "cannot be used with"),
            ("call sip:1@h --rtp 9-1", "is not a range"),
            ("call sip:1@h --username u", "--password"),
            ("wait --refuse 200", "such as 486"),
            ("wait --refuse 486 --answer-after 1", "cannot be used with"),
            ("wait --calls 0", "0 is not in"),
        ] {
            let error = parse(line).expect_err(line);
            assert!(error.contains(words), "{line}: {error}");
        }
    }

    #[test]
    fn each_call_gets_a_file_of_its_own() {
        let record = Record::File("/tmp/out.wav".into());
        assert_eq!(numbered(&record, 1), record);
        assert_eq!(numbered(&record, 2), Record::File("/tmp/out-2.wav".into()));
        assert_eq!(numbered(&Record::Tones, 2), Record::Tones);
    }
}
