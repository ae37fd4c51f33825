-- From now on this identifier is kept apart from that profile.
insert into identity_cut (identifier_id, anchor_id, apart_from, reason, cut_by, cut_at)
values (%(identifier_id)s, %(anchor_id)s, %(apart_from)s::bigint[], %(reason)s, %(by)s, %(now)s)
returning cut_id
