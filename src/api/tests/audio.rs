//! Audio goes in as a body or a form, and comes out whole or in part.

use reqwest::Method;

use super::harness::{Answer, Bench, read};

const PATH: &str = "/v1/accounts/me/audio";

/// A WAV file of half a second: 8 kHz, mono, 16 bits.
fn wav() -> Vec<u8> {
    let samples = 4000_u32;
    let size = samples * 2;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + size).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend([1, 0, 1, 0]);
    file.extend(8000_u32.to_le_bytes());
    file.extend(16_000_u32.to_le_bytes());
    file.extend([2, 0, 16, 0]);
    file.extend(b"data");
    file.extend(size.to_le_bytes());
    file.resize(44 + size as usize, 0);
    file
}

async fn upload(bench: &Bench, token: &str, kind: &str, body: Vec<u8>) -> Answer {
    let request = bench.request(Method::POST, token, &format!("{PATH}?name=Greeting"));
    read(request.header("content-type", kind).body(body)).await
}

#[actix_web::test]
async fn a_wav_file_is_uploaded_listed_downloaded_and_removed() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let made = upload(&bench, &token, "audio/wav", wav())
        .await
        .is(201)
        .body;
    assert_eq!(
        (&made["name"], &made["duration_ms"]),
        (&"Greeting".into(), &500.into())
    );
    let one = format!("{PATH}/{}", made["id"].as_str().unwrap());
    assert_eq!(bench.get(&token, PATH).await.is(200).body["items"][0], made);
    let content = format!("{one}/content");
    let whole = bench
        .request(Method::GET, &token, &content)
        .send()
        .await
        .unwrap();
    assert_eq!(whole.headers()["content-type"], "audio/wav");
    assert_eq!(whole.bytes().await.unwrap(), wav());
    let part = bench
        .request(Method::GET, &token, &content)
        .header("range", "bytes=0-3");
    let part = read(part).await.is(206);
    assert_eq!(
        (part.text.as_str(), part.header("content-range")),
        ("RIFF", "bytes 0-3/8044")
    );
    let outside = bench
        .request(Method::GET, &token, &content)
        .header("range", "bytes=9000-");
    assert_eq!(
        read(outside).await.is(416).header("content-range"),
        "bytes */8044"
    );
    bench.delete(&token, &one).await.is(204);
    bench.get(&token, &one).await.is(404);
    bench.delete(&token, &one).await.is(204);
}

#[actix_web::test]
async fn a_form_with_a_wav_file_is_taken() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let mut form = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\
        Content-Type: audio/wav\r\n\r\n"
        .to_vec();
    form.extend(wav());
    form.extend(b"\r\n--b--\r\n");
    let made = upload(&bench, &token, "multipart/form-data; boundary=b", form)
        .await
        .is(201);
    assert_eq!(made.body["size_bytes"], 8044);
}

#[actix_web::test]
async fn what_is_no_wav_file_is_refused() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    for body in [
        b"".to_vec(),
        b"RIFF".to_vec(),
        b"ID3 hello".to_vec(),
        wav()[..43].to_vec(),
    ] {
        let refused = upload(&bench, &token, "audio/wav", body).await.is(422);
        assert_eq!(refused.faults(), [" not_wav"]);
    }
    assert_eq!(
        upload(&bench, &token, "audio/mpeg", wav())
            .await
            .is(415)
            .code(),
        "unsupported_media_type"
    );
    let large = vec![0; 10 * 1024 * 1024 + 1];
    assert_eq!(
        upload(&bench, &token, "audio/wav", large)
            .await
            .is(413)
            .code(),
        "too_large"
    );
    let cut = b"--b\r\n\r\nRIFF".to_vec();
    upload(&bench, &token, "multipart/form-data; boundary=b", cut)
        .await
        .is(400);
}
