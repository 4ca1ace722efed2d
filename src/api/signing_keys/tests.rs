//! Tokens that are not ours, in every way that is known.

use super::*;
use crate::store::testing::TestDatabase;

/// RFC 7515 appendix A.1 and others sign with HMAC: a server that takes a token's own word for the
/// algorithm checks it with the public key as the secret.
fn hmac(secret: &[u8], header: &Value, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret);
    let alg = Header {
        kid: header["kid"].as_str().map(ToOwned::to_owned),
        ..Header::new(Algorithm::HS256)
    };
    jsonwebtoken::encode(&alg, claims, &key).unwrap()
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

struct Bench {
    store: Store,
    keys: Keys,
    now: DateTime<Utc>,
    account: AccountId,
    _database: TestDatabase,
}

impl Bench {
    async fn start() -> Self {
        let database = TestDatabase::sqlite();
        let store = database.store().await.unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Self {
            keys: Keys::load(&store, now).await.unwrap(),
            store,
            now,
            account: AccountId::from_uuid(Uuid::now_v7()),
            _database: database,
        }
    }

    fn token(&self) -> String {
        let session = Some(SessionId::from_uuid(Uuid::now_v7()));
        let who = (&"usr_x" as &dyn std::fmt::Display, self.account);
        self.keys
            .issue(who, Scopes::all(), session, self.now)
            .unwrap()
    }

    fn claims(&self) -> Value {
        let claims = self.keys.check(&self.token(), self.now).unwrap();
        serde_json::to_value(&*claims).unwrap()
    }
}

fn signed(key: &EncodingKey, kid: Option<&str>, claims: &Value) -> String {
    let header = Header {
        kid: kid.map(ToOwned::to_owned),
        ..Header::new(Algorithm::EdDSA)
    };
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

#[tokio::test]
async fn a_token_says_what_it_was_issued_for_until_it_has_run_out() {
    let bench = Bench::start().await;
    let token = bench.token();
    let claims = bench.keys.check(&token, bench.now).unwrap();
    assert_eq!((claims.acct, &claims.sub[..]), (bench.account, "usr_x"));
    let end = bench.now + ACCESS;
    let moment = Duration::milliseconds(1);
    assert!(bench.keys.check(&token, end - moment).is_some());
    assert!(bench.keys.check(&token, end).is_none());
    // The same once more, with the signature known by now.
    assert!(bench.keys.check(&token, end + moment).is_none());
}

#[tokio::test]
async fn a_token_that_is_not_signed_or_by_another_algorithm_is_refused() {
    let bench = Bench::start().await;
    let (set, claims) = (bench.keys.set(), bench.claims());
    let (kid, now) = (set.kid.clone(), bench.now);
    let public = URL_SAFE_NO_PAD.decode(&set.checking[0].x).unwrap();
    let body = encoded(&claims);
    for alg in ["none", "None", "nOnE", "HS256", "EdDSA"] {
        let header = encoded(&json!({"alg": alg, "typ": "JWT", "kid": kid}));
        for signature in ["", "AA", &"A".repeat(86)] {
            let token = format!("{header}.{body}.{signature}");
            assert!(bench.keys.check(&token, now).is_none(), "{token}");
        }
        assert!(bench.keys.check(&format!("{header}.{body}"), now).is_none());
    }
    let published = bench.keys.published(now).to_string();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n", set.checking[0].x);
    let text = set.checking[0].x.as_bytes();
    for secret in [&public[..], text, published.as_bytes(), pem.as_bytes(), b""] {
        let token = hmac(secret, &json!({"kid": kid}), &claims);
        assert!(bench.keys.check(&token, now).is_none(), "{token}");
    }
}

#[tokio::test]
async fn a_token_of_another_key_issuer_or_audience_is_refused() {
    let bench = Bench::start().await;
    let (set, claims, now) = (bench.keys.set(), bench.claims(), bench.now);
    let kid = set.kid.clone();
    let right = signed(&set.signing, Some(&kid), &claims);
    assert!(bench.keys.check(&right, now).is_some());
    for kid in [None, Some(""), Some("../../dev/null"), Some("' OR 1=1 --")] {
        let token = signed(&set.signing, kid, &claims);
        assert!(bench.keys.check(&token, now).is_none(), "{kid:?}");
    }
    let other = SigningKey::from_bytes(&[7; 32]).to_pkcs8_der().unwrap();
    let other = EncodingKey::from_ed_der(other.as_bytes());
    assert!(
        bench
            .keys
            .check(&signed(&other, Some(&kid), &claims), now)
            .is_none()
    );
    // A key that the token brings with it is nobody's.
    let header = json!({"alg": "EdDSA", "kid": kid,
        "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}});
    let token = format!(
        "{}.{}.{}",
        encoded(&header),
        encoded(&claims),
        "A".repeat(86)
    );
    assert!(bench.keys.check(&token, now).is_none());
    for (name, value) in [
        ("iss", json!("somebody")),
        ("iss", Value::Null),
        ("aud", json!("another-api")),
        ("aud", json!([])),
        ("exp", json!("never")),
        ("exp", Value::Null),
        ("exp", json!(now.timestamp())),
        ("exp", json!(-1)),
        ("acct", json!("acc_x")),
    ] {
        let mut wrong = claims.clone();
        wrong[name] = value;
        let token = signed(&set.signing, Some(&kid), &wrong);
        assert!(bench.keys.check(&token, now).is_none(), "{wrong}");
    }
    for name in ["iss", "aud", "exp", "sub", "acct"] {
        let mut wrong = claims.clone();
        wrong.as_object_mut().unwrap().remove(name);
        let token = signed(&set.signing, Some(&kid), &wrong);
        assert!(bench.keys.check(&token, now).is_none(), "no {name}");
    }
}

#[tokio::test]
async fn a_replaced_key_checks_what_it_signed_and_signs_no_more() {
    let bench = Bench::start().await;
    let old = bench.token();
    let first = bench.keys.set().kid.clone();
    assert!(bench.keys.check(&old, bench.now).is_some());
    let later = bench.now + Duration::minutes(5);
    let second = bench.keys.rotate(&bench.store, later).await.unwrap();
    assert!(bench.keys.check(&old, later).is_some());
    let kids = |now| {
        let keys = bench.keys.published(now)["keys"]
            .as_array()
            .unwrap()
            .clone();
        let kids = keys
            .iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned());
        kids.collect::<Vec<_>>()
    };
    assert_eq!(kids(later), [second.clone(), first.clone()]);
    let new = jsonwebtoken::decode_header(bench.token()).unwrap();
    assert_eq!(new.kid.as_ref(), Some(&second));
    // When all that the old key can have signed is over, it is worth nothing: not even for a token
    // that somebody who stole it makes.
    let over = later + ACCESS + Duration::seconds(1);
    let mut claims = serde_json::to_value(&*bench.keys.check(&old, later).unwrap()).unwrap();
    claims["exp"] = json!((over + ACCESS).timestamp());
    let stored = bench.store.signing_keys().await.unwrap();
    let stolen = stored.iter().find(|key| key.id == first).unwrap();
    let stolen = read_key(stolen).unwrap().to_pkcs8_der().unwrap();
    let stolen = EncodingKey::from_ed_der(stolen.as_bytes());
    let forged = signed(&stolen, Some(&first), &claims);
    assert!(
        bench
            .keys
            .check(&forged, over - Duration::seconds(2))
            .is_some()
    );
    assert!(bench.keys.check(&forged, over).is_none());
    assert_eq!(kids(over), [second]);
    // Another start reads the same.
    let again = Keys::load(&bench.store, later).await.unwrap();
    assert!(again.check(&old, later).is_some());
    bench
        .keys
        .rotate(&bench.store, over + ACCESS * 2)
        .await
        .unwrap();
    assert_eq!(bench.store.signing_keys().await.unwrap().len(), 2);
}
