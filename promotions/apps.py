from django.apps import AppConfig


class PromotionsConfig(AppConfig):
    name = "promotions"

    def ready(self) -> None:
        from environments.guarding import EARLIER
        from policies import references
        from promotions.judging.guards import policies_of_promotions
        from promotions.reading import documents

        EARLIER.append(policies_of_promotions)
        references.register_names(references.TRUSTED_KEY, documents.names_of_trusted_keys)
        references.register_names(references.FEED, documents.kinds_of_feeds)
