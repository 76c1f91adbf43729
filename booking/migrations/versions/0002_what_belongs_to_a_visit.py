"""What belongs to a visit: its days in words, a note, the patient, a second contact, the sign; and follow-ups."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("requests") as requests:
        requests.alter_column("reference", type_=sa.String(9), existing_type=sa.String(6), existing_nullable=False)
        requests.add_column(sa.Column("preferred_meaning", sa.String(300)))
        requests.add_column(sa.Column("second_contact_kind", sa.String(5)))
        requests.add_column(sa.Column("second_contact", sa.String(254)))
        requests.add_column(sa.Column("second_contact_shown", sa.String(254)))
        requests.add_column(sa.Column("patient_name", sa.String(80)))
        requests.add_column(sa.Column("patient_relation", sa.String(20)))
        requests.add_column(sa.Column("note", sa.String(400)))
        requests.add_column(sa.Column("sign", sa.String(80)))
        requests.add_column(sa.Column("change", sa.String(400)))
    with op.batch_alter_table("outbox") as outbox:
        outbox.alter_column(
            "set_aside", new_column_name="is_isolated", existing_type=sa.Boolean, existing_nullable=False
        )


def downgrade() -> None:
    with op.batch_alter_table("outbox") as outbox:
        outbox.alter_column(
            "is_isolated", new_column_name="set_aside", existing_type=sa.Boolean, existing_nullable=False
        )
    with op.batch_alter_table("requests") as requests:
        for name in (
            *("preferred_meaning", "second_contact_kind", "second_contact", "second_contact_shown", "patient_name"),
            *("patient_relation", "note", "sign", "change"),
        ):
            requests.drop_column(name)
        requests.alter_column("reference", type_=sa.String(6), existing_type=sa.String(9), existing_nullable=False)
