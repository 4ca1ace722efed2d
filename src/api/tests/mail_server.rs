//! A mail server of the tests: takes what it is given and hands it to the test.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A mail as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    /// What the client signed in with, as it was sent.
    pub(super) auth: Option<String>,
    pub(super) from: String,
    pub(super) to: String,
    /// Header and body, `=` at the ends of lines undone.
    pub(super) text: String,
}

/// The server. It refuses as many mails as it was told, then takes all.
pub(super) struct MailServer {
    pub(super) address: SocketAddr,
    pub(super) arrived: UnboundedReceiver<Arrived>,
}

impl MailServer {
    /// One that answers the first mails with these lines and takes the rest.
    pub(super) fn start(refusals: Vec<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, arrived) = unbounded_channel();
        std::thread::spawn(move || {
            let mut refusals = refusals.into_iter();
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                // A client that hangs up is no concern of the test's.
                let _ = serve(&stream, &mut refusals, &sender);
                if sender.is_closed() {
                    return;
                }
            }
        });
        Self { address, arrived }
    }

    /// The next mail.
    pub(super) async fn next(&mut self) -> Arrived {
        self.arrived.recv().await.unwrap()
    }
}

fn serve(
    stream: &TcpStream,
    refusals: &mut impl Iterator<Item = &'static str>,
    sender: &UnboundedSender<Arrived>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let say = |text: &str| {
        let mut to = stream;
        to.write_all(format!("{text}\r\n").as_bytes())
    };
    let (mut auth, mut from, mut to) = (None, String::new(), String::new());
    say("220 mail.test ESMTP")?;
    while let Some(line) = lines.next() {
        let line = line?;
        let verb = line
            .split([' ', ':'])
            .next()
            .unwrap_or("")
            .to_ascii_uppercase();
        match &*verb {
            "EHLO" => say("250-mail.test\r\n250-8BITMIME\r\n250 AUTH PLAIN")?,
            "AUTH" => {
                auth = Some(line);
                say("235 welcome")?;
            }
            "MAIL" => {
                from = line;
                say("250 well")?;
            }
            "RCPT" => {
                to = line;
                match refusals.next() {
                    Some(refusal) => say(refusal)?,
                    None => say("250 well")?,
                }
            }
            "DATA" => {
                say("354 go on")?;
                let mut text = String::new();
                for line in lines.by_ref() {
                    let line = line?;
                    if line == "." {
                        break;
                    }
                    if let Some(part) = line.strip_suffix('=') {
                        text.push_str(part);
                    } else {
                        text.push_str(&line);
                        text.push('\n');
                    }
                }
                let mail = Arrived {
                    auth: auth.clone(),
                    from: from.clone(),
                    to: to.clone(),
                    text: text.replace("=3D", "="),
                };
                // The test may be over.
                let _ = sender.send(mail);
                say("250 taken")?;
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 well")?,
        }
    }
    Ok(())
}
