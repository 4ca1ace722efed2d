//! A call of two parties, beside which something happens.

use serde_json::json;

use super::line::Line;
use super::phone::Phone;
use super::plans::plan;
use super::platform::{Builder, Platform};

const OFFICE: &str = "+442079460101";

/// The call.
pub(crate) struct Beside {
    pub(crate) phone: Phone,
    pub(crate) platform: Platform,
    pub(crate) a: Line,
    pub(crate) b: Line,
}

impl Beside {
    pub(crate) async fn start() -> Self {
        let mut phone = Phone::start().await;
        let office = plan("office", None)
            .deliver("office", OFFICE, json!({}), json!({}))
            .build();
        let platform = Builder::new(office, &phone).start().await;
        let mut a = platform.called_by(&phone).await;
        let mut b = phone.rings().await;
        b.answer();
        b.is_acknowledged().await;
        a.is_answered().await;
        let beside = Self {
            phone,
            platform,
            a,
            b,
        };
        beside.goes_on().await;
        beside
    }

    /// They hear each other still.
    pub(crate) async fn goes_on(&self) {
        self.a.say(900);
        self.b.say(1300);
        self.a.hears(1300).await;
        self.b.hears(900).await;
    }

    pub(crate) async fn finish(mut self) {
        self.goes_on().await;
        self.a.hang_up();
        self.a.is_over().await;
        self.b.is_over().await;
        self.platform.records().await;
        self.platform.finish().await;
    }
}
