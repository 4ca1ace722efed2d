//! How calls begin: a caller, a scheduled call or an outbound service becomes a call with a driver,
//! a ticket and a record, or is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::prelude::*;
use strowger_domain::call::{Facts, Origin};
use strowger_domain::cause::Cause;
use strowger_domain::cdr::{Ending, Opening, Timeline};
use strowger_domain::ids::{CallId, InstanceId};
use strowger_domain::limits::Limit;

use super::admit::{self, Calling, Refused};
use super::messages::{Later, NotReady, ScheduledStart};
use super::platform::Platform;
use crate::calls::start::{Driver, FirstLeg, Start};
use crate::calls::ticket::ChannelsFreed;
use crate::net::clock;
use crate::net::sip_endpoint::InboundInvite;
use crate::numbers::messages::StartCall;
use crate::services::messages::{Run, RunInstance, StartRefused, StartService};
use crate::store::events;
use crate::telemetry;

impl Platform {
    pub(super) fn facts(&self, opening: &Opening, variables: BTreeMap<String, String>) -> Facts {
        let tree = &self.snapshot.tree;
        let time_zone = tree
            .get(opening.account)
            .map_or(chrono_tz::UTC, |account| account.time_zone);
        // The first party of a scheduled call is its A-party: to the plan it has called the number.
        let (calling, called) = match (opening.origin, &opening.service_number) {
            (Origin::Scheduled, Some(number)) => (Some(opening.called.clone()), number.clone()),
            (Origin::Inbound | Origin::Scheduled | Origin::OutboundService, _) => {
                (opening.calling.clone(), opening.called.clone())
            }
        };
        Facts {
            call: opening.call,
            account: opening.account,
            origin: opening.origin,
            calling,
            called,
            variables,
            time_zone,
            permissions: self.permissions(opening.account),
        }
    }

    pub(super) fn inbound(&mut self, mut invite: InboundInvite, _: &mut Context<Self>) {
        let snapshot = Arc::clone(&self.snapshot);
        let Some(entry) = snapshot.directory.find_user(&invite.request.user) else {
            metrics::counter!(telemetry::CALLS_REFUSED, "reason" => "unknown_number").increment(1);
            invite.leg.end(404, Some(Cause::UnallocatedNumber.q850()));
            return;
        };
        let path: Vec<_> = entry.path.iter().collect();
        let trunk = snapshot
            .routes
            .of_source(&path, invite.request.flow.remote.ip());
        if !admit::is_authentic(&invite.request, trunk) {
            return invite.leg.challenge(self.means.tools.advertise.to_string());
        }
        let country = self.means.tools.country;
        let (calling, withheld_calling) = match admit::calling(&invite.request, trunk, country) {
            Calling::Shown(number) => (Some(number), None),
            Calling::Withheld(number) => (None, number),
        };
        let opening = Opening {
            call: CallId::from_uuid(uuid::Uuid::now_v7()),
            account: entry.path.account(),
            origin: Origin::Inbound,
            service_number: Some(entry.number.to_string()),
            calling,
            withheld_calling,
            called: entry.number.to_string(),
            scheduled_call: None,
            instance: None,
        };
        let is_active = snapshot.tree.is_active(entry.path.account());
        let refused = admit::number(entry, is_active).err().or_else(|| {
            self.draining.then_some(Refused {
                cause: Cause::Congestion,
                status: 503,
            })
        });
        if let Some(refused) = refused {
            return self.refuse(invite, opening, refused);
        }
        let Some((active, loaded)) = snapshot.plan_of(entry) else {
            let refused = Refused {
                cause: Cause::TemporaryFailure,
                status: 480,
            };
            return self.refuse(invite, opening, refused);
        };
        let ticket = match self.ticket(&entry.path) {
            Ok(ticket) => ticket,
            Err(full) => {
                let (cause, status) = (full.cause(), 503);
                return self.refuse(invite, opening, Refused { cause, status });
            }
        };
        let facts = self.facts(&opening, BTreeMap::new());
        let globals = self.globals_of(active.plan);
        let start = Start {
            presentation: opening.calling.clone(),
            network: Some(entry.number.to_string()),
            driver: Driver::plan(Arc::clone(&loaded.plan), facts, globals),
            opening,
            path: entry.path.clone(),
            plan: Some(active.plan),
            max_duration: self.max_duration(entry.path.account()),
            first: FirstLeg::Inbound {
                leg: invite.leg,
                request: invite.request,
            },
            ticket,
            tools: self.means.tools.clone(),
            unless_begun: None,
        };
        self.means.start.do_send(StartCall {
            number: entry.id,
            start: Box::new(start.unless_lost()),
        });
    }

    /// Refuses an inbound call of a known number: it has a record all the same.
    pub(super) fn refuse(&self, mut invite: InboundInvite, opening: Opening, refused: Refused) {
        let Refused { cause, status } = refused;
        metrics::counter!(telemetry::CALLS_REFUSED, "reason" => cause.text()).increment(1);
        if status == 503 {
            invite
                .leg
                .refuse(503, vec![("Retry-After".to_owned(), "5".to_owned())]);
            invite.leg.is_over();
        } else {
            invite.leg.end(status, Some(cause.q850()));
        }
        let now = clock::now().utc;
        let record = Timeline::new(opening, now).close(
            Ending {
                cause,
                sip_status: Some(status),
            },
            now,
        );
        let event = events::call_ended(&record, 1, now);
        let _ = self.means.tools.writer.end(record, event);
    }

    /// Makes a scheduled call ready. `freed`: who is told when its account, which has no channel now,
    /// has one.
    pub(super) fn scheduled(
        &self,
        wanted: ScheduledStart,
        freed: &Recipient<ChannelsFreed>,
    ) -> Result<StartCall, NotReady> {
        if self.draining || !self.ready {
            return Err(NotReady {
                cause: Cause::Congestion,
                why: "the platform takes no calls now".into(),
                later: Some(Later::Some),
            });
        }
        let snapshot = Arc::clone(&self.snapshot);
        let booking = &wanted.booking;
        let numbers = [
            Some(&booking.service_number),
            booking.presentation_number.as_ref(),
        ];
        let hosted = numbers
            .into_iter()
            .flatten()
            .filter_map(|number| {
                let entry = snapshot.directory.find_within(number, wanted.account)?;
                Some((number.clone(), snapshot.hosted(entry)))
            })
            .collect();
        let permissions = self.permissions(wanted.account);
        let setting = strowger_domain::schedule::Setting {
            is_active: snapshot.tree.is_active(wanted.account),
            permissions: &permissions,
            hosted: &hosted,
            classes: &self.means.classes,
            country: self.means.tools.country,
            full: None,
        };
        let faults = booking.recheck(&setting, clock::now().utc);
        let (Some(entry), true) = (
            snapshot
                .directory
                .find_within(&booking.service_number, wanted.account),
            faults.is_empty(),
        ) else {
            let mut why: Vec<_> = faults.iter().map(|fault| fault.detail.as_str()).collect();
            if why.is_empty() {
                why.push("the service number is not the account's any more");
            }
            let cause = strowger_domain::schedule::Booking::refusal(&faults);
            return Err(NotReady {
                cause,
                why: why.join("; "),
                later: None,
            });
        };
        let Some((active, loaded)) = snapshot.plan_of(entry) else {
            let why = "the number has no plan".into();
            return Err(NotReady {
                cause: Cause::NoRouteToDestination,
                why,
                later: None,
            });
        };
        let ticket = self.ticket(&entry.path).map_err(|full| {
            let later = match full.limit {
                Limit::Calls => {
                    let channels = &self.means.channels;
                    channels.tell_when_free(full.account, freed.clone());
                    Later::Freed(full.account)
                }
                Limit::CallsPerSecond => Later::Soon(full.account),
            };
            NotReady {
                cause: full.cause(),
                why: full.to_string(),
                later: Some(later),
            }
        })?;
        let destination = booking.first_party.to_string();
        let opening = Opening {
            call: wanted.call,
            account: entry.path.account(),
            origin: Origin::Scheduled,
            service_number: Some(entry.number.to_string()),
            calling: Some(booking.presented().to_string()),
            withheld_calling: None,
            called: destination.clone(),
            scheduled_call: Some(wanted.scheduled_call),
            instance: None,
        };
        let facts = self.facts(&opening, booking.variables.clone());
        let start = Start {
            driver: Driver::plan(
                Arc::clone(&loaded.plan),
                facts,
                self.globals_of(active.plan),
            ),
            opening,
            path: entry.path.clone(),
            plan: Some(active.plan),
            max_duration: self.max_duration(entry.path.account()),
            first: FirstLeg::Outbound {
                destination,
                ring: booking.ring(),
                progress: Some(wanted.progress),
            },
            network: Some(entry.number.to_string()),
            presentation: Some(booking.presented().to_string()),
            ticket,
            tools: self.means.tools.clone(),
            unless_begun: None,
        };
        Ok(StartCall {
            number: entry.id,
            start: Box::new(start),
        })
    }

    pub(super) fn service(&mut self, wanted: StartService) -> Result<RunInstance, StartRefused> {
        if self.draining {
            return Err(StartRefused::Draining);
        }
        let snapshot = Arc::clone(&self.snapshot);
        let path = snapshot
            .tree
            .path(wanted.account)
            .ok_or(StartRefused::NoService)?;
        let permissions = self.permissions(wanted.account);
        if !snapshot.tree.is_active(wanted.account) || !permissions.outbound_services {
            return Err(StartRefused::NoService);
        }
        let ticket = self
            .ticket(path)
            .map_err(|_cause| StartRefused::NoChannel)?;
        Ok(RunInstance(Box::new(Run {
            id: InstanceId::from_uuid(uuid::Uuid::now_v7()),
            call: CallId::from_uuid(uuid::Uuid::now_v7()),
            wanted,
            path: path.clone(),
            max_duration: self.max_duration(path.account()),
            ticket,
            settings: None,
            tools: self.means.tools.clone(),
            http: self.means.http.clone(),
            store: self.means.store.clone(),
            running: self.means.instances.begin(),
        })))
    }
}
