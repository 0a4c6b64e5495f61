"""What an update of a stack needs and LocalStack 4.14's CloudFormation lacks."""
