from promotions.models.blob import Blob
from promotions.models.collected import CollectedFact
from promotions.models.decision import DecisionRecord
from promotions.models.deployment import Deployment
from promotions.models.document import EvidenceBundle, EvidenceDocument, Feed, FeedEntry, TrustedKey
from promotions.models.finding import EvidenceFinding, EvidenceRound
from promotions.models.outbox import OutboxCounter, OutboxEvent, OutboxMark
from promotions.models.override import Override, OverrideReview
from promotions.models.packet import EvidencePacket, Installation, PublicSigningKey
from promotions.models.promotion import Promotion, PromotionCounter
from promotions.models.reading import BundleReading, DocumentReading, FeedReading
from promotions.models.release import Component, Release
from promotions.models.vote import Confirmation, Vote
from promotions.models.webhook import Webhook, WebhookDelivery
from promotions.models.worker import ProcessHeartbeat, WorkerFailure

__all__ = [
    "Blob",
    "BundleReading",
    "CollectedFact",
    "Component",
    "Confirmation",
    "DecisionRecord",
    "Deployment",
    "DocumentReading",
    "EvidenceBundle",
    "EvidenceDocument",
    "EvidenceFinding",
    "EvidencePacket",
    "EvidenceRound",
    "Feed",
    "FeedEntry",
    "FeedReading",
    "Installation",
    "OutboxCounter",
    "OutboxEvent",
    "OutboxMark",
    "Override",
    "OverrideReview",
    "ProcessHeartbeat",
    "Promotion",
    "PromotionCounter",
    "PublicSigningKey",
    "Release",
    "TrustedKey",
    "Vote",
    "Webhook",
    "WebhookDelivery",
    "WorkerFailure",
]
