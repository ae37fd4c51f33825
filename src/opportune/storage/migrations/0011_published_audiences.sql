-- Audiences that destinations are told of, and whom each destination was ever told of.

-- An audience and a destination that it is published to.
create table audience_publication (
    publication_id int generated always as identity primary key,
    audience text not null,
    destination text not null,
    -- in one of these, and in none of minus; empty: not published any more, whoever is in is still to be removed
    segments text[] not null,
    minus text[] not null,
    -- what a member must allow, on which channel; null: nobody's consent is asked for
    purpose text,
    channel text not null,
    -- whether who said nothing allows it
    assumed boolean not null,
    -- why nobody may be added; null: nothing forbids it
    refused text,
    -- segment -> when it was filled, of all that is read; null: some are not filled yet, and nothing is published
    filled jsonb,
    -- when changes were put into the outbox last
    published_at timestamptz,
    unique (audience, destination)
);

-- Whom a destination was told to be in an audience, by the identifier that it was told.
drop table audience_published;
create table audience_published (
    publication_id int not null,
    identifier_id bigint not null,
    profile_id bigint not null,
    kind text not null,
    value text not null,
    published_at timestamptz not null,
    primary key (publication_id, identifier_id)
);
create index audience_published_of_profile on audience_published (profile_id);
create sequence audience_message;

-- Profiles that may have come into or gone out of an audience: still to be looked at.
create table audience_touched (
    profile_id bigint not null
);

-- By which identifiers a destination was ever told of anybody: whom it has to forget with us.
create table destination_told (
    destination text not null,
    identifier_id bigint not null,
    primary key (destination, identifier_id)
);
create index destination_told_of_identifier on destination_told (identifier_id);
insert into destination_told (destination, identifier_id)
select distinct substr(outbox.use_case, 13),
    case when outbox.message::json ->> 'userId' is null then identity_hash('anonymous_id', outbox.user_id)
        else identity_hash('user_id', outbox.user_id) end
from outbox
where outbox.message is not null and starts_with(outbox.use_case, 'destination/')
union
select destination_profile.destination, identifier.identifier_id
from destination_profile
join identifier on identifier.profile_id = destination_profile.profile_id
    and identifier.kind in ('user_id', 'anonymous_id')
on conflict do nothing;

-- Each of these costs next to nothing where no audience is published.
create function touch_members() returns trigger language plpgsql as $$
begin
    if exists (select from audience_publication) then
        insert into audience_touched (profile_id)
        select distinct moved.profile_id
        from moved
        where exists (
            select from audience_publication as each
            where moved.segment = any (each.segments) or moved.segment = any (each.minus)
        );
    end if;
    return null;
end
$$;
create trigger member_entered after insert on segment_membership
    referencing new table as moved for each statement execute function touch_members();
create trigger member_left after update on segment_membership
    referencing new table as moved for each statement execute function touch_members();
create trigger member_dropped after delete on segment_membership
    referencing old table as moved for each statement execute function touch_members();

create function touch_addressed() returns trigger language plpgsql as $$
begin
    if exists (select from audience_publication) then
        insert into audience_touched (profile_id)
        select distinct named.profile_id
        from named
        where exists (
            select from segment_membership as member
            where member.profile_id = named.profile_id and member.left_at is null
        );
    end if;
    return null;
end
$$;
create trigger address_added after insert on identifier
    referencing new table as named for each statement execute function touch_addressed();
create trigger address_removed after delete on identifier
    referencing old table as named for each statement execute function touch_addressed();

create function touch_both_addressed() returns trigger language plpgsql as $$
begin
    if exists (select from audience_publication) then
        insert into audience_touched (profile_id) values (old.profile_id), (new.profile_id);
    end if;
    return null;
end
$$;
create trigger address_moved after update of profile_id, linked_at on identifier
    for each row when (old.profile_id <> new.profile_id or old.linked_at <> new.linked_at)
    execute function touch_both_addressed();

create function touch_consenting() returns trigger language plpgsql as $$
begin
    if exists (select from audience_publication where purpose is not null) then
        insert into audience_touched (profile_id)
        select distinct identifier.profile_id
        from said
        join identifier on identifier.identifier_id = said.identifier_id;
    end if;
    return null;
end
$$;
create trigger consent_given after insert on consent
    referencing new table as said for each statement execute function touch_consenting();
create trigger consent_changed after update on consent
    referencing new table as said for each statement execute function touch_consenting();
create trigger consent_removed after delete on consent
    referencing old table as said for each statement execute function touch_consenting();
