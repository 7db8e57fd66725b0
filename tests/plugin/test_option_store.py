"""`--alignment-store DIR`."""

import sqlite3


def test_it_is_where_everything_is_kept(world, workers):
    before = world.files()
    world.run(*workers, store="kept")
    made = {name.split("/")[0] for name in world.files() - before}
    assert made == {"kept", "reports"}
    assert world.report()["run"]["store"] == str(world.path / "kept")


def test_figures_too_leave_nothing_elsewhere(world, monkeypatch):
    """Matplotlib would keep its list of fonts in the user's home."""
    monkeypatch.delenv("MPLCONFIGDIR")
    before = world.files()
    world.run(store="kept", formats=None, fresh=True)
    assert {name.split("/")[0] for name in world.files() - before} == {"kept", "reports"}
    assert (world.path / "reports/alignment/figures/rates.svg").is_file()


def test_it_is_over_the_environment(world, monkeypatch):
    monkeypatch.setenv("ALIGNMENT_STORE", str(world.path / "environment"))
    world.run()
    assert (world.path / "store" / "store.sqlite").is_file()
    assert not (world.path / "environment").exists()


def test_the_environment_is_over_the_cache_folder(world, monkeypatch):
    monkeypatch.setenv("ALIGNMENT_STORE", str(world.path / "environment"))
    world.run(store=None)
    assert (world.path / "environment" / "store.sqlite").is_file()


def test_below_a_file_it_is_refused(world, refused):
    world.write("file", "")
    line = refused(store="file/store")
    assert line == (
        f"ERROR: store {world.path}/file/store: cannot be opened: Not a directory; "
        "free or repair it, or name another with --alignment-store"
    )


def test_where_nothing_can_be_written_it_is_refused(refused):
    line = refused(store="/proc/store")
    assert line.startswith("ERROR: store /proc/store: cannot be opened: ")


def test_something_else_under_its_name_is_refused(world, refused):
    world.write("store/store.sqlite", "not a database " * 100)
    for folder in ("models", "locks"):
        (world.path / "store" / folder).mkdir()
    line = refused()
    assert line.startswith(f"ERROR: store {world.store}: cannot be opened: file is not a database;")


def test_a_newer_schema_is_refused(world, refused):
    for folder in ("models", "locks"):
        (world.store / folder).mkdir(parents=True)
    with sqlite3.connect(world.store / "store.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    line = refused()
    assert line.startswith(f"ERROR: store {world.store}: written by a newer release (schema 99, ")


def test_naming_a_store_elsewhere_does_not_hide_the_settings(world, tmp_path_factory):
    """Where a project has no file for pytest, pytest takes the store's folder for its rootdir."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "store"
    elsewhere.mkdir()
    world.write("alignment.toml", 'extends = "world.toml"\nname = "mine"\n')
    world.run(profile=None, store=str(elsewhere))
    assert world.report()["profile"]["name"] == "mine"
