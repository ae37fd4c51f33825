-- Identity follows from what was seen together: every link says when and why, and can be cut.

alter table identifier
    add column identifier_id bigint generated always as (identity_hash(kind, value)) stored,
    -- when a message named it first; what was its own is kept apart from the profile, so that a cut gives it back
    add column sighted_at_us bigint,
    add column first_seen_at_us bigint,
    add column last_seen_at_us bigint,
    -- when something was said -> trait -> value, each trait once, as it was said last; null says that it was removed
    add column told jsonb;
create unique index identifier_by_id on identifier (identifier_id);
-- One statement moves identifiers and the profiles they leave; checking each row of an import took a tenth of its time.
alter table identifier drop constraint identifier_profile_id_fkey;
-- Both are updated with nearly every event of a profile: room for that on the same page.
alter table identifier set (fillfactor = 85);
alter table profile set (fillfactor = 85);
-- Whether what its identifiers did before they were linked to the user id is left out, for want of consent.
alter table profile add column past_apart boolean not null default false;

create table identifier_link (
    -- the identifier of highest priority on the message, and another one beside it
    owner_id bigint not null,
    other_id bigint not null,
    occurred_at_us bigint not null,
    message_id text not null,
    source_id text not null,
    rule text not null check (rule in ('seen_together', 'alias', 'decided')),
    -- why it joins nothing
    set_aside text check (set_aside in ('new', 'two_known', 'limit', 'size', 'cut', 'apart')),
    holds boolean generated always as (set_aside is null) stored,
    decision text check (decision in ('apart', 'move', 'same')),
    decided_by text,
    decided_at timestamptz,
    primary key (owner_id, other_id)
);
create index identifier_link_of_owner on identifier_link (owner_id, holds, occurred_at_us);
create index identifier_link_of_other on identifier_link (other_id, holds, occurred_at_us);
create index identifier_link_to_review on identifier_link (occurred_at_us)
    where set_aside in ('two_known', 'limit', 'size', 'apart') and decision is null;

create table identity_cut (
    cut_id bigint generated always as identity primary key,
    identifier_id bigint not null,
    -- whom it was cut from: the first identifier of the profile, and all that stayed with it
    anchor_id bigint not null,
    apart_from bigint[] not null,
    reason text not null,
    cut_by text not null,
    cut_at timestamptz not null,
    restored_by text,
    restored_at timestamptz
);
create index identity_cut_of_identifier on identity_cut (identifier_id) where restored_at is null;
create index identity_cut_of_anchor on identity_cut (anchor_id) where restored_at is null;

create table profile_change (
    change_id bigint generated always as identity primary key,
    changed_at timestamptz not null,
    identifier_id bigint not null,
    from_profile_id bigint not null,
    to_profile_id bigint not null,
    reason text not null check (reason in ('evidence', 'cut', 'restore', 'review', 'refold')),
    message_id text not null,
    source_id text not null,
    changed_by text
);
create index profile_change_of_identifier on profile_change (identifier_id);

-- What was known so far belonged to the user id, or to the anonymous id of a profile without one.
update identifier set sighted_at_us = (extract(epoch from linked_at) * 1000000)::bigint;
with owner as (
    select distinct on (identifier.profile_id)
        identifier.identifier_id, profile.traits, profile.trait_set_at,
        profile.first_seen_at, profile.last_seen_at
    from identifier
    join profile on profile.profile_id = identifier.profile_id
    order by identifier.profile_id, identifier.kind <> 'user_id', identifier.linked_at, identifier.value
)
update identifier set
    sighted_at_us = least(identifier.sighted_at_us, (extract(epoch from owner.first_seen_at) * 1000000)::bigint),
    first_seen_at_us = (extract(epoch from owner.first_seen_at) * 1000000)::bigint,
    last_seen_at_us = (extract(epoch from owner.last_seen_at) * 1000000)::bigint,
    told = (
        select jsonb_object_agg(said.at, said.traits)
        from (
            select trait.value as at, jsonb_object_agg(trait.key, coalesce(owner.traits -> trait.key, 'null')) as traits
            from jsonb_each_text(owner.trait_set_at) as trait
            group by trait.value
        ) as said
    )
from owner
where identifier.identifier_id = owner.identifier_id;
insert into identifier_link (owner_id, other_id, occurred_at_us, message_id, source_id, rule)
select owner.identifier_id, other.identifier_id, (extract(epoch from other.linked_at) * 1000000)::bigint,
    '', '', 'seen_together'
from identifier as other
join identifier as owner on owner.profile_id = other.profile_id and owner.kind = 'user_id'
where other.kind = 'anonymous_id'
on conflict do nothing;
alter table profile drop column trait_set_at;

-- The traits that several identifiers of one profile come to: of each the value that was said last.
create function newest_traits(tellings jsonb[]) returns jsonb
    language sql immutable strict parallel safe
    return (
        select coalesce(jsonb_object_agg(newest.key, newest.value) filter (where newest.value <> 'null'), '{}')
        from (
            select distinct on (trait.key collate "C") trait.key, trait.value
            from unnest(tellings) as telling (told)
            cross join lateral jsonb_each(telling.told) as said
            cross join lateral jsonb_each(said.value) as trait
            order by trait.key collate "C", said.key::numeric desc, trait.value::text collate "C" desc
        ) as newest
    );

-- What was told of one identifier before and now: each trait once, as it was said last.
create function merged_told(before jsonb, now jsonb) returns jsonb
    language sql immutable strict parallel safe
    return (
        select jsonb_object_agg(kept.said_at, kept.traits)
        from (
            select newest.said_at, jsonb_object_agg(newest.key, newest.value) as traits
            from (
                select distinct on (trait.key collate "C") trait.key, trait.value, said.said_at
                from (
                    select 1 as turn, key as said_at, value as traits from jsonb_each(before)
                    union all
                    select 2, key, value from jsonb_each(now)
                ) as said
                cross join lateral jsonb_each(said.traits) as trait
                order by trait.key collate "C", said.said_at::numeric desc, said.turn desc
            ) as newest
            group by newest.said_at
        ) as kept
    );

-- Two ways to write the same address are one identifier.
create function canonical_value(kind text, value text) returns text
    language sql immutable parallel safe
    return case kind
        when 'email' then lower(btrim(value) collate "C")
        when 'phone' then regexp_replace(regexp_replace(value, '[^0-9+]', '', 'g'), '^00', '+')
        else value
    end;
