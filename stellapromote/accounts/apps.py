from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "stellapromote.accounts"
    label = "accounts"
    verbose_name = "Accounts"
