-- Temporary profiles that test sends make in Braze: noted before they are made, so that none stays there for ever.

create table braze_test_profile (
    external_id text primary key,
    base_url text not null,
    use_case text not null,
    -- who asked for the test send; never who gets it
    made_by text not null,
    noted_at timestamptz not null
);
create index braze_test_profile_noted on braze_test_profile (noted_at);
