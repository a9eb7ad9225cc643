//! What needs a fresher sign-in says so, in the words of RFC 9470, and works after it.

use axum::body::Body;
use http::Request;
use modelward_decision::Bundle;

use crate::house::{Answer, House, Session};

/// The default policies, and one that wants a sign-in of the last two minutes to read the ledger.
fn bundle() -> Bundle {
    let mut sources = Bundle::default_bundle().unwrap().sources().clone();
    sources.get_mut("obligations.cedar").unwrap().push_str(
        r#"
@id("fresh-audit")
@title("Reading the ledger needs a sign-in of the last two minutes")
@owner("platform-security")
@obligation("step-up:2:120")
permit (principal, action == Modelward::Action::"readLedger", resource);
"#,
    );
    Bundle::from_sources(sources).unwrap()
}

async fn page(house: &House, path: &str, session: &Session) -> Answer {
    let request = Request::get(path).header("cookie", format!("mw_sid={}", session.secret));
    house.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn an_old_sign_in_is_told_what_a_new_one_has_to_be_and_a_new_one_is_enough() {
    let house = House::under(bundle()).await;
    let dana = house.first().await;
    house.get("/api/v1/ledger", &dana).await.ok();
    house.pass_seconds(150);
    let asked = house.get("/api/v1/ledger", &dana).await;
    assert_eq!((asked.status.as_u16(), asked.code().as_str()), (401, "step-up"), "{}", asked.text);
    let step_up = &asked.json()["error"]["step_up"];
    assert_eq!((step_up["strength"].as_u64(), step_up["max_age"].as_u64()), (Some(2), Some(120)));
    let challenge = asked.headers["www-authenticate"].to_str().unwrap();
    assert_eq!(
        challenge,
        "Bearer realm=\"modelward\", error=\"insufficient_user_authentication\", acr_values=\"2fa\", max_age=\"120\""
    );
    assert!(asked.json()["error"]["decision"].as_str().unwrap().starts_with("de_"), "it is a decision");
    // A grant that is missing is no matter of signing in.
    let femi = house.invited(&dana, "femi").await;
    house.pass_seconds(150);
    assert_eq!(house.get("/api/v1/ledger", &femi).await.code(), "denied");

    let refused = page(&house, "/ledger", &dana).await;
    assert_eq!(refused.status, 401);
    assert!(refused.text.contains("/sign-in?name=dana&#38;next=%2Fledger"), "{}", refused.text);
    let again = house.again("dana", &dana).await;
    house.get("/api/v1/ledger", &again).await.ok();
    assert_eq!(page(&house, "/ledger", &again).await.status, 200);
    house.get("/api/v1/whoami", &dana).await.ok();
}
