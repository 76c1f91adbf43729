"""Booking requests, and the outbox of what is to be delivered of them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "requests",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("reference", sa.String(6), nullable=False, unique=True),
        sa.Column("intention_key", sa.String(255), nullable=False, unique=True),
        sa.Column("created_at", moment, nullable=False, index=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("contact_kind", sa.String(5), nullable=False),
        sa.Column("contact", sa.String(254), nullable=False, index=True),
        sa.Column("contact_shown", sa.String(254), nullable=False),
        sa.Column("preferred_words", sa.String(120), nullable=False),
        sa.Column("preferred_day", sa.Date),
        sa.Column("preferred_start", moment),
        sa.Column("patient", sa.String(9)),
        sa.Column("reason", sa.String(200)),
        sa.Column("urgent", sa.Boolean, nullable=False),
        sa.Column("conversation", sa.String(255), nullable=False, index=True),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("status", sa.String(4), nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "request_id", sa.Integer, sa.ForeignKey("requests.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("kind", sa.String(7), nullable=False),
        sa.Column("message_key", sa.String(255), nullable=False, unique=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt", moment, nullable=False),
        sa.Column("set_aside", sa.Boolean, nullable=False),
        sa.Column("leased_until", moment),
        sa.Column("lease", sa.String(32)),
        sa.Column("delivered_at", moment),
        sa.Column("failed_at", moment),
        sa.Column("last_error", sa.String(80)),
        sa.UniqueConstraint("request_id", "kind"),
    )


def downgrade() -> None:
    op.drop_table("outbox")
    op.drop_table("requests")
