"""What every test stands on: Rasa as this project prepares it."""

from assistant.rasa.compatibility import prepare

prepare()
