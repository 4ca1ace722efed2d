//! Speaks to mail servers (SMTP, RFC 5321), by the same rule as the HTTP client: the address that
//! was checked is the one that is connected to, while TLS checks the name.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::events::http_client::{HttpClient, HttpError};
use crate::store::mail::{Mail, MailSettings, Security};

/// A server that does not take a mail within this time is tried again later.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Most characters of what a server said that are kept.
const MAX_REASON: usize = 300;

/// Why a mail was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    /// It cannot be written as a mail.
    #[error("the mail cannot be written")]
    Unwritable,
    /// The server's address may not be reached, or cannot be found.
    #[error(transparent)]
    Unreachable(#[from] HttpError),
    /// The server refused it for good.
    #[error("the mail server refused it: {0}")]
    Refused(String),
    /// The server could not be spoken to, or asks to try later.
    #[error("the mail server did not take it: {0}")]
    NotNow(String),
}

impl SmtpError {
    /// Whether another attempt is of no use.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Unwritable | Self::Refused(_) | Self::Unreachable(HttpError::Refused(_)) => true,
            Self::Unreachable(_) | Self::NotNow(_) => false,
        }
    }
}

/// Sends one mail.
pub async fn send(
    http: &HttpClient,
    settings: &MailSettings,
    mail: &Mail,
) -> Result<(), SmtpError> {
    let message = message(settings, mail).ok_or(SmtpError::Unwritable)?;
    let address = http.reachable(&settings.host, settings.port).await?;
    let parameters = || {
        TlsParameters::new(settings.host.clone())
            .map_err(|error| SmtpError::NotNow(error.to_string()))
    };
    let tls = match settings.security {
        Security::Tls => Tls::Wrapper(parameters()?),
        Security::Starttls => Tls::Required(parameters()?),
        Security::None => Tls::None,
    };
    let mut transport =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
            .port(address.port())
            .tls(tls)
            .timeout(Some(TIME_LIMIT));
    if let Some(username) = &settings.username {
        let password = settings.password.clone().unwrap_or_default();
        transport = transport.credentials(Credentials::new(username.clone(), password));
    }
    let transport = transport.build();
    let sent = tokio::time::timeout(TIME_LIMIT, transport.send(message)).await;
    match sent {
        Ok(Ok(_accepted)) => Ok(()),
        Ok(Err(error)) => {
            let reason = reason(&error);
            Err(if error.is_permanent() {
                SmtpError::Refused(reason)
            } else {
                SmtpError::NotNow(reason)
            })
        }
        Err(_elapsed) => Err(SmtpError::NotNow("it took too long".to_owned())),
    }
}

/// What the server said, as one short line.
fn reason(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(MAX_REASON).collect()
}

fn message(settings: &MailSettings, mail: &Mail) -> Option<Message> {
    let from: Address = settings.from_address.parse().ok()?;
    let to: Address = mail.recipient.parse().ok()?;
    let id = format!("<{}@{}>", mail.id.uuid().simple(), from.domain());
    let message = Message::builder()
        .from(Mailbox::new(settings.from_name.clone(), from))
        .to(Mailbox::new(None, to))
        .subject(&mail.content.subject)
        // The same in every attempt: a server that took it once knows it again.
        .message_id(Some(id))
        .date(mail.created_at.into());
    let text = SinglePart::builder()
        .header(ContentType::TEXT_PLAIN)
        .body(mail.content.text.clone());
    match &mail.content.html {
        None => message.singlepart(text).ok(),
        Some(html) => {
            let html = SinglePart::builder()
                .header(ContentType::TEXT_HTML)
                .body(html.clone());
            let both = MultiPart::alternative().singlepart(text).singlepart(html);
            message.multipart(both).ok()
        }
    }
}
