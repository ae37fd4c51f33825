-- What all stored events say of consent by the present rules.
create temporary table consent_again (like consent including all) on commit drop
