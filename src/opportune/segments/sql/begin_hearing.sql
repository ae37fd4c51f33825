-- What the log says of memberships, until all of it was read.
create table if not exists membership_heard (
    segment text not null,
    profile_id bigint not null,
    entered_at_us bigint not null,
    left_at_us bigint,
    said_at_us bigint not null,
    place bigint not null
)
