-- Identity at the pace of the log: cheaper hashes, and no index that is slow where thousands share one identifier.

-- The same number as before. What convert_to does depends on the server's settings, so a function with it is called
-- row by row; without it, it becomes part of the query, at a quarter of the cost.
do $$
begin
    if getdatabaseencoding() = 'UTF8' then
        create or replace function identity_hash(kind text, value text) returns bigint
            language sql immutable strict parallel safe
            return (
                'x' || left(
                    encode(sha256(decode(replace(kind || ':' || value, '\', '\\'), 'escape')), 'hex'), 16
                )
            )::bit(64)::bigint;
    end if;
end
$$;

-- A pair is looked up by its key: through these, it would be compared with all that was ever seen with one of the two,
-- and thousands may share one. What they leave out never is; but a look-up that does not say so cannot use them.
drop index identifier_link_of_owner;
drop index identifier_link_of_other;
create index identifier_link_of_owner on identifier_link (owner_id, holds, occurred_at_us) where owner_id <> other_id;
create index identifier_link_of_other on identifier_link (other_id, holds, occurred_at_us) where owner_id <> other_id;

-- Whoever clicks is written with every batch. With room on the page no index has to be written with it.
alter table identifier set (fillfactor = 70);
alter table profile set (fillfactor = 70);
