//! What makes two messages members of one transaction (RFC 3261 §17.1.3 and §17.2.3).

/// The key of a client transaction: the branch that we made, and the method, because a CANCEL
/// shares the branch of its INVITE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientKey {
    pub(crate) branch: String,
    pub(crate) method: String,
}

/// The key of a server transaction. The method of an ACK is given as INVITE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ServerKey {
    /// The branch starts with the magic cookie: it names the transaction together with sent-by.
    Branch {
        branch: String,
        sent_by: String,
        method: String,
    },
    /// RFC 2543 peers make no unique branch. The To tag is left out: an INVITE that starts a dialog
    /// has none, its ACK has ours, and within a dialog the `CSeq` number tells requests apart.
    Legacy {
        request_uri: String,
        from_tag: String,
        call_id: String,
        cseq: u32,
        via: String,
        method: String,
    },
}

impl ServerKey {
    /// The key of the INVITE that a CANCEL or ACK belongs to.
    pub(crate) fn of_invite(&self) -> Self {
        let mut key = self.clone();
        match &mut key {
            Self::Branch { method, .. } | Self::Legacy { method, .. } => {
                "INVITE".clone_into(method);
            }
        }
        key
    }
}

/// Two requests that share these but not the transaction came by different ways (§8.2.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MergeKey {
    pub(crate) from_tag: String,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    pub(crate) method: String,
}
