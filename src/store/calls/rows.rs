//! A call's record and the rows that keep it.

use crate::store::text::{
    document, json, maybe_named, milliseconds, name, named, signed, unsigned,
};
use crate::store::{StoreError, utc};
use std::time::Duration;
use strowger_domain::call::Origin;
use strowger_domain::cause::Cause;
use strowger_domain::cdr::{CallRecord, LegRecord, WithheldNumber};
use strowger_domain::ids::{AccountId, CallId, InstanceId, LegId, RecordingId, ScheduledCallId};
use strowger_entity::{call_legs, calls};
use uuid::Uuid;

const CALLS: &str = "calls";
const LEGS: &str = "call_legs";

pub(super) fn origin_name(origin: Origin) -> String {
    name(&origin)
}

pub(in crate::store) fn call_model(call: &CallRecord) -> calls::Model {
    calls::Model {
        id: call.id.uuid(),
        account_id: call.account.uuid(),
        origin: name(&call.origin),
        service_number: call.service_number.clone(),
        calling: call.calling.clone(),
        withheld_calling: call
            .withheld_calling
            .as_ref()
            .map(|n| n.number().to_owned()),
        called: call.called.clone(),
        state: name(&call.state),
        started_at: utc(call.started_at),
        answered_at: call.answered_at.map(utc),
        ended_at: call.ended_at.map(utc),
        cause: call.cause.as_ref().map(name),
        sip_status: call.sip_status.map(i32::from),
        outcome: call.outcome.as_ref().map(name),
        duration_ms: milliseconds(Duration::from_millis(call.duration_ms)),
        scheduled_call_id: call.scheduled_call.map(ScheduledCallId::uuid),
        instance_id: call.instance.map(InstanceId::uuid),
        expected_count: i32::from(call.expected_count),
        steps: json(&call.steps),
        annotations: json(&call.annotations),
    }
}

pub(in crate::store) fn leg_model(call: CallId, leg: &LegRecord) -> call_legs::Model {
    call_legs::Model {
        id: leg.id.uuid(),
        call_id: call.uuid(),
        number: i32::from(leg.number),
        role: name(&leg.role),
        call_type: i32::from(leg.call_type),
        direction: name(&leg.direction),
        address: leg.address.clone(),
        presentation: leg.presentation.clone(),
        started_at: utc(leg.started_at),
        ringing_at: leg.ringing_at.map(utc),
        answered_at: leg.answered_at.map(utc),
        ended_at: leg.ended_at.map(utc),
        cause: leg.cause.as_ref().map(name),
        sip_status: leg.sip_status.map(i32::from),
        codec: leg.codec.clone(),
        packets_sent: signed(leg.packets_sent),
        packets_received: signed(leg.packets_received),
        quality: leg.quality.as_ref().map(json),
    }
}

pub(super) fn record(
    model: calls::Model,
    legs: Vec<call_legs::Model>,
    recordings: Vec<Uuid>,
) -> Result<CallRecord, StoreError> {
    let cause: Option<Cause> = maybe_named(CALLS, model.cause.as_deref())?;
    Ok(CallRecord {
        id: CallId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        origin: named(CALLS, &model.origin)?,
        service_number: model.service_number,
        calling: model.calling,
        withheld_calling: model.withheld_calling.map(WithheldNumber::new),
        called: model.called,
        state: named(CALLS, &model.state)?,
        started_at: model.started_at,
        answered_at: model.answered_at,
        ended_at: model.ended_at,
        cause,
        q850: cause.map(Cause::q850),
        sip_status: model.sip_status.map(unsigned),
        outcome: maybe_named(CALLS, model.outcome.as_deref())?,
        duration_ms: unsigned(model.duration_ms),
        scheduled_call: model.scheduled_call_id.map(ScheduledCallId::from_uuid),
        instance: model.instance_id.map(InstanceId::from_uuid),
        expected_count: unsigned(model.expected_count),
        legs: legs.into_iter().map(leg_record).collect::<Result<_, _>>()?,
        steps: document(CALLS, model.steps)?,
        annotations: document(CALLS, model.annotations)?,
        recordings: recordings.into_iter().map(RecordingId::from_uuid).collect(),
    })
}

fn leg_record(model: call_legs::Model) -> Result<LegRecord, StoreError> {
    let cause: Option<Cause> = maybe_named(LEGS, model.cause.as_deref())?;
    Ok(LegRecord {
        id: LegId::from_uuid(model.id),
        number: unsigned(model.number),
        role: named(LEGS, &model.role)?,
        call_type: unsigned(model.call_type),
        direction: named(LEGS, &model.direction)?,
        address: model.address,
        presentation: model.presentation,
        started_at: model.started_at,
        ringing_at: model.ringing_at,
        answered_at: model.answered_at,
        ended_at: model.ended_at,
        cause,
        q850: cause.map(Cause::q850),
        sip_status: model.sip_status.map(unsigned),
        codec: model.codec,
        packets_sent: unsigned(model.packets_sent),
        packets_received: unsigned(model.packets_received),
        quality: model
            .quality
            .map(|quality| document(LEGS, quality))
            .transpose()?,
    })
}
