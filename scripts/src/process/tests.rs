use super::*;

#[tokio::test]
async fn a_dropped_child_takes_its_own_children_along() {
    let child = Launch::new("sh", "sh").args(["-c", "sleep 300 & sleep 300"]).spawn().expect("sh");
    let pid = child.pid();
    for _ in 0..100 {
        if group_members(pid).len() > 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(group_members(pid).len() > 1, "the shell started nothing");
    drop(child);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(group_members(pid), Vec::<u32>::new());
}

#[tokio::test]
async fn a_start_that_fails_quotes_the_log() {
    let dir = tempfile::tempdir().expect("dir");
    let launch = Launch::new("sh", "sh").args(["-c", "echo no luck; exit 3"]).log(dir.path().join("sh.log"));
    let mut child = launch.spawn().expect("sh");
    let error = child.until(Duration::from_secs(5), async || false).await.expect_err("it ended");
    let error = error.to_string();
    assert!(error.contains("exit status: 3") && error.contains("no luck"), "{error}");
}

#[tokio::test]
async fn output_returns_stdout_and_an_error_says_what_stderr_said() {
    assert_eq!(output(Launch::new("sh", "sh").args(["-c", "echo hi"])).await.expect("hi"), "hi\n");
    let error = output(Launch::new("sh", "sh").args(["-c", "echo bad >&2; false"])).await.expect_err("false");
    assert!(error.to_string().contains("bad"), "{error}");
}
