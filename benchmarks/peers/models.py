"""The two Scheduler events as models with the types that pydantic offers for their strings."""

from datetime import datetime
from typing import Any, Literal

from pydantic import AnyHttpUrl, BaseModel, EmailStr


class Answer(BaseModel):
    question: str
    position: int
    answer: list[str]


class Attendee(BaseModel):
    display_name: str | None = None
    email: EmailStr | None = None


class InviteeCounters(BaseModel):
    total: int | None = None
    active: int | None = None
    limit: int | None = None


class Tracking(BaseModel):
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_content: str | None = None
    utm_term: str | None = None
    salesforce_ids: list[dict[str, Any]] | None = None


class Cancellation(BaseModel):
    canceled_by: str | None = None
    canceler_type: Literal["host", "invitee"] | None = None
    cancel_at: datetime | None = None
    reason: str | None = None


class Meeting(BaseModel):
    kind: str
    meeting_id: str | None = None
    personal_meeting_id: str | None = None
    meeting_passcode: str | None = None
    meeting_description: str | None = None
    meeting_join_url: AnyHttpUrl | None = None


class ScheduledEvent(BaseModel):
    event_id: str
    summary: str | None = None
    start_date_time: datetime
    end_date_time: datetime
    status: str | None = None
    created: datetime | None = None
    updated: datetime | None = None
    attendees: list[Attendee] | None = None
    guests: list[EmailStr] | None = None
    invitee_counters: InviteeCounters | None = None
    location_kind: str | None = None
    location: dict[str, Any] | None = None
    external_location: Meeting | None = None
    meeting_notes: str | None = None


class Booking(BaseModel):
    invitee_email: EmailStr
    invitee_first_name: str | None = None
    invitee_last_name: str | None = None
    text_phone_number: str | None = None
    time_zone: str | None = None
    manage_url: AnyHttpUrl | None = None
    created: datetime | None = None
    rescheduled: bool | None = None
    questions_and_answers: list[Answer] | None = None
    scheduled_event: ScheduledEvent
    tracking: Tracking | None = None
    cancellation: Cancellation | None = None


class Payload(BaseModel):
    account_id: str | None = None
    user_id: str | None = None
    object: Booking


class SchedulerEvent(BaseModel):
    event: Literal["scheduler.scheduled_event_created", "scheduler.scheduled_event_canceled"]
    event_ts: int
    payload: Payload
