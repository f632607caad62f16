use xtask::house;

use super::plots::tests::ROWS;
use super::*;

const EMPTY: &str = "# Title\n<!-- budgets --><!-- /budgets -->\n<!-- plots -->stale<!-- /plots -->\nmethod\n\
                     <!-- figures -->\n<!-- /figures -->\nend\n";

fn figures() -> Figures {
    Figures::parse(ROWS).expect("rows")
}

#[test]
fn the_terminal_shows_a_table_for_each_case_in_columns() {
    let text = terminal(&figures());
    assert!(text.starts_with("2 cores\n\nedge, hello\n"), "{text}");
    assert!(text.lines().any(|line| line.contains("cauris") && line.ends_with("1.15")), "{text}");
}

#[test]
fn a_page_keeps_everything_around_the_parts_that_a_run_writes() {
    let Rendered { page, plots } = render(&figures(), EMPTY).expect("rendered");
    assert!(page.starts_with("# Title\n<!-- budgets -->\n") && page.ends_with("<!-- /figures -->\nend\n"), "{page}");
    assert!(page.contains("\nmethod\n") && !page.contains("stale"), "{page}");
    assert!(page.contains("| gateway | 137401 | 59815 |") && page.contains("| --- | ---: | ---: |"), "{page}");
    for (name, svg) in &plots {
        assert!(page.contains(&format!("](plots/{name})")) && svg.starts_with("<svg "), "{name}");
    }
    assert_eq!(render(&figures(), &page).expect("again").page, page);
}

#[test]
fn a_page_without_its_marks_is_refused_and_stays_as_it_is() {
    let dir = tempfile::tempdir().expect("dir");
    let file = dir.path().join("page.md");
    fs::write(&file, "# Title\n").expect("written");
    assert!(publish(&figures(), &file).is_err());
    assert_eq!(fs::read_to_string(&file).expect("read"), "# Title\n");
}

#[test]
fn a_plot_that_is_no_longer_drawn_is_removed_and_the_rows_are_kept() {
    let dir = tempfile::tempdir().expect("dir");
    let file = dir.path().join("page.md");
    fs::write(&file, EMPTY).expect("written");
    publish(&figures(), &file).expect("published");
    let rows = Figures::read(&dir.path().join(ROWS_FILE)).expect("rows");
    assert_eq!(rows, figures());
    assert!(dir.path().join("plots/scale.svg").is_file());
    let fewer = Figures { rows: rows.of("size").cloned().collect(), ..rows.clone() };
    publish(&fewer, &file).expect("published");
    let left = fs::read_dir(dir.path().join("plots")).expect("a folder");
    let left: Vec<_> = left.map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(left, ["size.svg"]);
}

#[test]
fn tables_alone_go_into_a_page_or_a_file_of_their_own() {
    let dir = tempfile::tempdir().expect("dir");
    let (page, new) = (dir.path().join("page.md"), dir.path().join("new.md"));
    fs::write(&page, EMPTY).expect("written");
    for file in [&page, &new] {
        tables_into(&figures(), file).expect("written");
    }
    assert_eq!(fs::read_to_string(&new).expect("read"), markdown(&figures()));
    assert!(fs::read_to_string(&page).expect("read").contains(&markdown(&figures())));
}

/// Page, plots and rows are committed together: none may be changed by hand, and none left behind.
#[test]
fn the_committed_page_is_what_the_committed_rows_render_to() {
    let file = house::root().join(PAGE);
    let (page, folder) = (fs::read_to_string(&file).expect("the page"), file.parent().expect("a folder"));
    let figures = Figures::read(&folder.join(ROWS_FILE)).expect("the rows");
    let rendered = render(&figures, &page).expect("rendered");
    let again = "run `cargo xtask bench --report --from docs/benchmarks.json`";
    assert!(rendered.page == page, "{PAGE} is not of its rows: {again}");
    let mut plots: Vec<String> = Vec::new();
    for (name, svg) in rendered.plots {
        let committed = fs::read_to_string(folder.join(PLOTS).join(&name)).unwrap_or_default();
        assert!(committed == svg, "docs/plots/{name} is not of its rows: {again}");
        assert!(svg.contains("cargo xtask bench"), "docs/plots/{name} does not say by which command");
        plots.push(name);
    }
    for entry in fs::read_dir(folder.join(PLOTS)).expect("the plots") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(plots.contains(&name), "docs/plots/{name} is on no page: {again}");
    }
}
