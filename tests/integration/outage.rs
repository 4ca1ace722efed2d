//! The database is away for a while: calls are made and end as before, what they leave behind waits
//! in memory, and is kept exactly once when the database is back.

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use serde_json::json;
use strowger::store::testing::TestDatabase;
use strowger_domain::cause::Cause;

use crate::harness::{Builder, Line, Phone, Platform, eventually, plan};

/// The only connection of somebody else to a database.
async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

async fn run(database: &DatabaseConnection, sql: &str) {
    database.execute_unprepared(sql).await.unwrap();
}

fn office(phone: &Phone) -> Builder {
    let office = plan("office", Some("office")).deliver("office", OFFICE, json!({}), json!({}));
    Builder::new(office.build(), phone)
}

const OFFICE: &str = "+442079460101";

/// Two phones talk through the platform.
async fn talk(phone: &mut Phone, platform: &Platform) -> (Line, Line) {
    let mut a = platform.called_by(phone).await;
    let mut b = phone.rings().await;
    b.answer();
    b.is_acknowledged().await;
    a.is_answered().await;
    a.say(900);
    b.hears(900).await;
    (a, b)
}

async fn hang_up((mut a, mut b): (Line, Line)) {
    a.hang_up();
    a.is_over().await;
    b.is_over().await;
}

/// Each of so many calls has its one record; their events the harness looks at.
async fn all_are_kept(platform: Platform, calls: usize) {
    let records = platform.records().await;
    let causes: Vec<_> = records.iter().map(|record| record.cause).collect();
    assert_eq!(causes, vec![Some(Cause::NormalClearing); calls]);
    assert!(records.iter().all(|record| record.legs.len() == 2));
    platform.finish().await;
}

#[actix::test]
async fn calls_go_on_while_somebody_else_holds_the_sqlite_file_and_are_kept_afterwards() {
    let mut phone = Phone::start().await;
    let platform = office(&phone).start().await;
    let before = talk(&mut phone, &platform).await;
    let other = connect(&platform.config.database).await;
    run(&other, "BEGIN EXCLUSIVE").await;
    hang_up(before).await;
    for _ in 0..3 {
        let call = talk(&mut phone, &platform).await;
        hang_up(call).await;
    }
    let during = talk(&mut phone, &platform).await;
    platform.has_calls(1).await;
    let live = platform.api.get("/v1/accounts/me/calls?state=live").await;
    live.is(200);
    assert!(platform.app().writer.waiting() > 0, "nothing was kept");
    run(&other, "ROLLBACK").await;
    other.close().await.unwrap();
    hang_up(during).await;
    all_are_kept(platform, 5).await;
}

#[actix::test]
async fn calls_go_on_while_postgresql_is_away_and_reading_answers_503_until_it_is_back() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let mut phone = Phone::start().await;
    let url = database.url().to_owned();
    let builder = office(&phone).set(|s| s.database = Some(url.clone()));
    let platform = builder.start().await;
    let before = talk(&mut phone, &platform).await;
    let (server, name) = url.rsplit_once('/').unwrap();
    let admin = connect(&format!("{server}/postgres")).await;
    let allow = |yes| format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {yes}");
    run(&admin, &allow(false)).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname";
    run(&admin, &format!("{end} = '{name}'")).await;
    hang_up(before).await;
    let call = talk(&mut phone, &platform).await;
    hang_up(call).await;
    let during = talk(&mut phone, &platform).await;
    let records = platform.api.get("/v1/accounts/me/records").await;
    assert_eq!(records.is(503)["code"], "unavailable");
    platform.has_calls(1).await;
    run(&admin, &allow(true)).await;
    admin.close().await.unwrap();
    hang_up(during).await;
    let records = "/v1/accounts/me/records";
    eventually("records can be read again", || async {
        (platform.api.get(records).await.status == 200).then_some(())
    })
    .await;
    all_are_kept(platform, 3).await;
}
