//! What one branch of the account tree does, no other branch sees or touches.

use serde_json::{Value, json};
use strowger::store::numbers::NumberStatus;

use crate::harness::{Builder, Caller, Owner, Phone, SECOND_NUMBER, plan};

const OFFICE: &str = "+442079460101";

fn office() -> Value {
    plan("office", Some("office"))
        .deliver("office", OFFICE, json!({}), json!({}))
        .build()
}

#[actix::test]
async fn a_live_call_is_seen_and_ended_by_its_account_and_those_above_and_by_nobody_else() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(office(), &phone).start().await;
    let mut a = platform.called_by(&phone).await;
    let mut b = phone.rings().await;
    b.answer();
    b.is_acknowledged().await;
    a.is_answered().await;
    let account = platform.seeded.accounts[&Owner::Customer];
    let calls = format!("/v1/accounts/{account}/calls");
    let live = platform.api.until(&calls, "it is listed", |page| {
        page["items"][0]["state"] == "in_progress"
    });
    let id = live.await["items"][0]["id"].as_str().unwrap().to_owned();
    let (reseller, stranger, sub) = (
        platform.api_of(Owner::Reseller).await,
        platform.api_of(Owner::Stranger).await,
        platform.api_of(Owner::Sub).await,
    );
    for nobody in [&stranger, &sub] {
        nobody.get(&calls).await.is(404);
        nobody.get(&format!("{calls}/{id}")).await.is(404);
        nobody
            .get(&format!("/v1/accounts/me/calls/{id}"))
            .await
            .is(404);
        let hang_up = json!({ "action": "hang_up" });
        nobody
            .post(&format!("/v1/accounts/me/calls/{id}/actions"), &hang_up)
            .await
            .is(404);
        let own = nobody
            .get("/v1/accounts/me/calls?descendants=true")
            .await
            .is(200);
        assert_eq!(own["items"], json!([]));
    }
    let seen = reseller.get(&format!("{calls}/{id}")).await.is(200);
    assert_eq!(seen["legs"].as_array().unwrap().len(), 2);
    let hang_up = json!({ "action": "hang_up" });
    reseller
        .post(&format!("{calls}/{id}/actions"), &hang_up)
        .await
        .is(202);
    a.is_over().await;
    b.is_over().await;
    let records = format!("/v1/accounts/{account}/records/{id}");
    platform.has_calls(0).await;
    platform.app().writer.flush().await;
    stranger.get(&records).await.is(404);
    assert_eq!(reseller.get(&records).await.is(200)["outcome"], "answered");
    platform.finish().await;
}

#[actix::test]
async fn a_call_can_be_scheduled_from_a_number_of_a_descendant_and_not_of_another_branch() {
    let mut phone = Phone::start().await;
    let (sub, other) = ("+441632960021", "+441632960022");
    let platform = Builder::new(office(), &phone)
        .hosted(sub, Owner::Sub, NumberStatus::Active, Some(office()))
        .hosted(other, Owner::Stranger, NumberStatus::Active, Some(office()))
        .start()
        .await;
    let wish = json!({ "service_number": sub, "first_party": "+447700900123" });
    let id = platform.schedule_with(wish).await;
    phone.rings().await.refuse(486);
    platform.scheduled_is(&id, "failed").await;
    let wish = json!({ "service_number": other, "first_party": "+447700900123" });
    let refused = platform
        .api
        .post("/v1/accounts/me/scheduled_calls", &wish)
        .await;
    assert_eq!(refused.faults(), ["/service_number unknown_number"]);
    let stranger = platform.api_of(Owner::Stranger).await;
    let path = format!("/v1/accounts/me/scheduled_calls/{id}");
    stranger.get(&path).await.is(404);
    stranger.delete(&path).await.is(404);
    platform.finish().await;
}

#[actix::test]
async fn calls_go_by_the_nearest_route_of_the_account_and_those_above() {
    let mut phone = Phone::start().await;
    let mut own = Phone::start().await;
    let platform = Builder::new(office(), &phone)
        .hosted(
            SECOND_NUMBER,
            Owner::Stranger,
            NumberStatus::Active,
            Some(office()),
        )
        .start()
        .await;
    let host = own.address.to_string();
    let trunk = json!({ "name": "own", "host": host });
    let reseller = platform.api_of(Owner::Reseller).await;
    let trunk = reseller
        .post("/v1/accounts/me/trunks", &trunk)
        .await
        .is(201);
    let route = json!({ "prefix": "+4420", "trunk": trunk["id"], "priority": 1 });
    reseller
        .post("/v1/accounts/me/routes", &route)
        .await
        .is(201);
    // Calls that come while the route is being read may still take the one before it.
    let mut by_own = false;
    for _ in 0..100 {
        let mut a = platform.called_by(&phone).await;
        let mut b = tokio::select! {
            line = own.rings() => {
                by_own = true;
                line
            }
            line = phone.rings() => line,
        };
        b.refuse(486);
        a.is_over().await;
        if by_own {
            break;
        }
    }
    assert!(by_own, "the reseller's own route is taken");
    let mut a = phone
        .call(SECOND_NUMBER, platform.sip, Caller::default())
        .await;
    phone.rings().await.refuse(486);
    a.is_over().await;
    platform.finish().await;
}
