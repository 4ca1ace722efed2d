//! The last messages of a call whose end was told already.

use super::credentials::authorization_for;
use super::session::is_other_branch;
use super::{Next, Unacknowledged, Usage, reason};
use crate::command::{Credentials, InviteId};
use crate::dialog::Dialog;
use crate::reader::Message;
use crate::transaction::draft;
use crate::transaction::{ClientId, Lost, Transactions};
use std::time::Instant;

/// A dialog that waits for the response to our BYE, and before that maybe for the ACK without
/// which an answerer may not say BYE (RFC 3261 §15).
#[derive(Debug)]
pub(crate) struct Closing {
    id: InviteId,
    dialog: Dialog,
    credentials: Option<Credentials>,
    q850: Option<u8>,
    waits: Option<Unacknowledged>,
    bye: Option<ClientId>,
}

impl Closing {
    pub(super) fn start(
        id: InviteId,
        dialog: Dialog,
        credentials: Option<Credentials>,
        q850: Option<u8>,
        waits: Option<Unacknowledged>,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        let closing = Box::new(Self {
            id,
            dialog,
            credentials,
            q850,
            waits,
            bye: None,
        });
        if closing.waits.is_some() {
            return Some(Usage::Closing(closing));
        }
        closing.say_bye(vec![], tx, now)
    }

    pub(super) fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    pub(super) fn dialog_mut(&mut self) -> &mut Dialog {
        &mut self.dialog
    }

    pub(super) fn response(
        mut self: Box<Self>,
        client: ClientId,
        message: &Message,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        if message.method() == "INVITE" {
            if is_other_branch(message, &self.dialog) {
                tx.hang_up_stray(client, message, self.dialog.flow, now);
            }
            return Some(Usage::Closing(self));
        }
        let is_final = message.status().is_some_and(|status| status >= 200);
        if self.bye != Some(client) || !is_final {
            return Some(Usage::Closing(self));
        }
        if !matches!(message.status(), Some(401 | 407)) {
            return None;
        }
        let credentials = self.credentials.take()?;
        let (uri, _) = self.dialog.target_and_routes();
        let header = authorization_for(message, &credentials, "BYE", uri.as_str(), tx)?;
        self.say_bye(vec![header], tx, now)
    }

    pub(super) fn lost(self: Box<Self>, lost: Lost) -> Next {
        (self.bye != Some(lost.client)).then_some(Usage::Closing(self))
    }

    /// Their BYE crosses ours, or comes before ours.
    pub(super) fn bye(self: Box<Self>) -> Next {
        self.bye.is_some().then_some(Usage::Closing(self))
    }

    pub(super) fn ack(
        mut self: Box<Self>,
        message: &Message,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        let awaited = self.waits.as_ref().map(|response| response.cseq);
        if awaited != Some(message.cseq().number) {
            return Some(Usage::Closing(self));
        }
        self.waits = None;
        self.say_bye(vec![], tx, now)
    }

    pub(super) fn timeout(mut self: Box<Self>, tx: &mut Transactions, now: Instant) -> Next {
        if !self
            .waits
            .as_mut()
            .is_some_and(|wait| wait.is_given_up(tx, now))
        {
            return Some(Usage::Closing(self));
        }
        self.waits = None;
        self.say_bye(vec![], tx, now)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waits.as_ref().map(Unacknowledged::deadline)
    }

    fn say_bye(
        mut self: Box<Self>,
        authorization: Vec<(String, String)>,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        let cseq = self.dialog.next_cseq();
        let mut headers = reason::reason_header(self.q850);
        headers.extend(authorization);
        let outline = draft::in_dialog(&self.dialog, "BYE", cseq, headers, None);
        self.bye = Some(tx.send_in_dialog(&self.dialog, outline, Some(self.id), now)?);
        Some(Usage::Closing(self))
    }
}
