"""Pages of promotions, releases, audit and evidence."""

from django.urls import path

from promotions.views import (
    approvals,
    audit,
    board,
    documents,
    products,
    promotion,
    promotions,
    releases,
    reports,
    request,
    sign_in_settings,
    teams,
)

_ID = "promotions/<uuid:promotion_id>"
_RELEASE = "releases/<uuid:release_id>"

urlpatterns = [
    path("", board.board, name="board"),
    path("approvals", approvals.approvals, name="approvals"),
    path("promotions", promotions.promotions, name="promotions"),
    path("reports/delivery", reports.delivery, name="report_delivery"),
    path("promotions/new", request.request_page, name="promotion_request"),
    path(_ID, promotion.promotion, name="promotion"),
    path(f"{_ID}/approve", promotion.approve, name="promotion_approve"),
    path(f"{_ID}/reject", promotion.reject, name="promotion_reject"),
    path(f"{_ID}/withdraw", promotion.withdraw, name="promotion_withdraw"),
    path(f"{_ID}/cancel", promotion.cancel, name="promotion_cancel"),
    path(f"{_ID}/evaluate", promotion.evaluate, name="promotion_evaluate"),
    path(f"{_ID}/replay", promotion.replay_decision, name="promotion_replay"),
    path(f"{_ID}/decisions/<int:number>/input", promotion.decision_input, name="decision_input"),
    path(f"{_ID}/verify", promotion.verify, name="promotion_verify"),
    path(f"{_ID}/gates/<slug:gate>/confirm", promotion.confirm, name="promotion_confirm"),
    path(f"{_ID}/gates/<slug:gate>/unconfirm", promotion.unconfirm, name="promotion_unconfirm"),
    path(f"{_ID}/gates/<slug:gate>/override", promotion.override, name="promotion_override"),
    path(f"{_ID}/overrides/<uuid:override_id>/review", promotion.review_override, name="promotion_review_override"),
    path("products", products.products, name="products"),
    path("products/<slug:slug>", products.product, name="product"),
    path("products/<slug:slug>/archive", products.archive, name="product_archive"),
    path("settings/teams/<slug:slug>/delete", teams.delete, name="settings_delete_team"),
    path("image-repositories", products.shared_repositories, name="shared_repositories"),
    path("image-repositories/<uuid:pk>/free", products.free, name="free_repository"),
    path("releases", releases.releases, name="releases"),
    path(_RELEASE, releases.release, name="release"),
    path(f"{_RELEASE}/finalize", releases.finalize, name="release_finalize"),
    path(f"{_RELEASE}/deprecate", releases.deprecate, name="release_deprecate"),
    path(f"{_RELEASE}/evidence", documents.upload, name="release_evidence"),
    path(f"{_RELEASE}/archive", releases.archive, name="release_archive"),
    path("audit", audit.audit, name="audit"),
    path("audit/verify", audit.verify_chain, name="audit_verify"),
    path("evidence/documents/<uuid:document_id>", documents.document, name="evidence_document"),
    path(f"{_ID}/evidence", documents.take, name="promotion_take_evidence"),
    path("settings/sign-in", sign_in_settings.sign_in_settings, name="settings_sign_in"),
    path("settings/evidence", documents.settings, name="settings_evidence"),
    path("settings/evidence/keys", documents.add_key, name="settings_add_key"),
    path("settings/evidence/keys/<uuid:key_id>/revoke", documents.end_key, name="settings_revoke_key"),
    path("settings/evidence/feeds", documents.add_feed, name="settings_add_feed"),
    path("evidence/verify", audit.verify_packet, name="verify_evidence"),
]
