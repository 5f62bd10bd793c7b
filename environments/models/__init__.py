from environments.models.environment import Calendar, Environment, EnvironmentApprovalPolicy, RetiredName
from environments.models.environment_edit import EnvironmentEdit
from environments.models.freeze_window import FreezeWindow

__all__ = ["Calendar", "Environment", "EnvironmentApprovalPolicy", "EnvironmentEdit", "FreezeWindow", "RetiredName"]
